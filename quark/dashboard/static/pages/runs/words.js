// Terms of a filter as the server reads them, and what stands in a cell.
import { number } from "../../core/format.js";

const PLAIN = /^[^\s"<>=!~:,\\-][^\s"<>=!~:,\\]*$/;

/** Put a name or value in quotes where it has to be. @param {string} text */
export function quoted(text) {
  return PLAIN.test(text) || /^-?[\d.]+(e[-+]?\d+)?$/i.test(text) ? text : `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

/** @param {string} field @param {string} operator @param {string} value */
export function term(field, operator, value) {
  const words = operator === ":" ? [quoted(field), ":", quoted(value)] : [quoted(field), " ", operator, " ", quoted(value)];
  return words.join("");
}

/** @param {any} value  of a configuration or a summary */
export function cellText(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return number(value, 5);
  if (typeof value === "boolean") return value ? "true" : "false";
  return String(value);
}

/** A count and its word. @param {number} count @param {string} one @param {string} [many] */
export function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}
