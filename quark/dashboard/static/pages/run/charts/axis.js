// What charts are drawn along, and how it is called.

/** @typedef {{ axis: string, from: number, to: number }} Zoom */

export const AXES = [
  ["step", "Step"],
  ["elapsed", "Time since the start"],
  ["time", "Time of day"],
  ["epoch", "Epoch"],
];
/** Each key along what define_metric said. */
export const AS_DEFINED = "defined";

/** @param {string} axis @returns {"number" | "time" | "elapsed"} */
export function kindOf(axis) {
  return axis === "time" || axis === "elapsed" ? axis : "number";
}

/** The name of an axis as a text. @param {string} axis */
export function axisName(axis) {
  if (axis.startsWith("key:")) return axis.slice(4);
  return (AXES.find(([name]) => name === axis)?.[1] ?? axis).toLowerCase();
}

/**
 * Read a zoom from the address, such as "step:10:200.5".
 * @param {string} text @returns {Zoom | null}
 */
export function readZoom(text) {
  const parts = text.split(":");
  if (parts.length < 3) return null;
  const to = Number(parts.pop());
  const from = Number(parts.pop());
  return Number.isFinite(from) && Number.isFinite(to) && to > from ? { axis: parts.join(":"), from, to } : null;
}

/** @param {Zoom | null} zoom */
export function writeZoom(zoom) {
  if (!zoom) return "";
  const short = (number) => String(Number(number.toPrecision(12)));
  return `${zoom.axis}:${short(zoom.from)}:${short(zoom.to)}`;
}

const MEASURED = /_(loss|accuracy|score)$/;

/**
 * Group keys by what stands before the first slash. First those with a loss or an accuracy in them,
 * then as they came; last what the others are drawn along, which is no news.
 * @template {{ key: string, x?: string | null }} T
 * @param {T[]} keys @param {Record<string, string>} [roles] @returns {[string, T[]][]}
 */
export function sections(keys, roles = {}) {
  const found = new Map();
  for (const one of keys) {
    const at = one.key.indexOf("/");
    const name = at > 0 ? one.key.slice(0, at) : "metrics";
    if (!found.has(name)) found.set(name, []);
    found.get(name).push(one);
  }
  const axes = new Set(keys.map((one) => one.x));
  const late = ([, inside]) => (inside.some((one) => MEASURED.test(roles[one.key] ?? "")) ? 0 : inside.every((one) => axes.has(one.key)) ? 2 : 1);
  return [...found].sort((a, b) => late(a) - late(b));
}

/**
 * Whether a key has all words of a search.
 * @param {string} key @param {string} search
 */
export function fits(key, search) {
  const small = key.toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => small.includes(word));
}
