// What an event carries, as a line that people read: not JSON, unless nothing better can be made of it.
import { bytes, duration, number } from "../../../core/format.js";

/** Said first and without their names: they are sentences, or names themselves. */
const SPEAKING = ["title", "message", "text", "reason", "artifact"];
/** For programs; the event itself has them. */
const INNER = new Set(["id", "digest"]);
const PAIR = /"(\w+)":("(?:[^"\\]|\\.)*"|-?\d[\d.e+-]*(?=[,}]))/g;

/**
 * @param {{ text: string, status: string | null }} event  `text`: its payload as JSON, which may be cut
 */
export function saidOf({ text, status }) {
  const payload = read(text);
  if (!payload) return text;
  const speaking = SPEAKING.flatMap((name) => (typeof payload[name] === "string" && payload[name] ? [payload[name]] : []));
  const others = Object.entries(payload).filter(([name, value]) => !INNER.has(name) && !speaking.includes(value) && value !== null && value !== "");
  return [status, ...speaking, ...others.map(([name, value]) => said(name, value))].filter(Boolean).join(" · ");
}

/** The payload; of one that was cut, what came before. @param {string} text @returns {Record<string, any> | null} */
function read(text) {
  try {
    const found = JSON.parse(text);
    return found !== null && typeof found === "object" && !Array.isArray(found) ? found : null;
  } catch {
    const pairs = [...text.matchAll(PAIR)].map(([, name, value]) => [name, JSON.parse(value)]);
    return pairs.length ? { ...Object.fromEntries(pairs), more: "…" } : null;
  }
}

/** @param {string} name @param {any} value */
function said(name, value) {
  if (name === "more") return value;
  const [, stem, unit] = /^(.+?)(_bytes|_seconds)?$/.exec(name) ?? [name, name, ""];
  const text = typeof value !== "number" || !unit ? shown(value) : unit === "_bytes" ? bytes(value) : duration(value);
  return `${(typeof value === "number" && unit ? stem : name).replaceAll("_", " ")} ${text}`;
}

/** @param {any} value */
function shown(value) {
  if (typeof value === "number") return number(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}
