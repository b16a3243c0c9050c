// Axes: which range is shown, where its marks are, and where a value lies in it.
import { compact } from "../../core/format.js";

/** Below this, what a picture divides by would be nothing. */
const LEAST = 1e-290;

/**
 * The range of values with some air around it; never empty.
 * @param {Iterable<number>} values @param {{ zero?: boolean, air?: number }} [how]  `zero`: 0 is in it
 * @returns {[number, number]}
 */
export function range(values, { zero = false, air = 0.04 } = {}) {
  let low = zero ? 0 : Infinity;
  let high = zero ? 0 : -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(high >= low)) return [0, 1];
  if (!(high - low > Math.max(Math.abs(low) * 1e-12, Math.abs(high) * 1e-12, LEAST))) {
    const half = Math.abs(low) * 0.05 > LEAST ? Math.abs(low) * 0.05 : 0.5;
    return [low - half, high + half];
  }
  const extra = (high - low) * air;
  return [zero && low === 0 ? 0 : low - extra, zero && high === 0 ? 0 : high + extra];
}

/**
 * Round values between two ends, at most so many.
 * @param {number} low @param {number} high @param {number} most @returns {number[]}
 */
export function ticks(low, high, most) {
  const wish = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(wish));
  if (!(wish > 0) || !(power > 0)) return [low];
  const step = ([1, 2, 2.5, 5, 10].find((one) => one * power >= wish * 0.999999) ?? 10) * power;
  const found = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9 && found.length <= most + 1; place += 1) {
    // The product may miss a round number by a bit: 3 * 0.1 is more than 0.3.
    found.push(Number((place * step).toPrecision(12)));
  }
  return found;
}

/** Where a value lies. @param {[number, number]} from @param {[number, number]} to @returns {(value: number) => number} */
export function scale([low, high], [start, end]) {
  const size = (end - start) / (high - low);
  return (value) => start + (value - low) * size;
}

/** The place of the number that is nearest to another one. @param {number[]} ascending @param {number} value */
export function nearest(ascending, value) {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low > 0 && value - ascending[low - 1] <= ascending[low] - value ? low - 1 : low;
}

/** What is written at the marks of an axis: as short as tells them apart. @param {number[]} marks */
export function markTexts(marks) {
  for (let digits = 6; digits < 16; digits += 1) {
    const texts = marks.map((one) => (digits === 6 ? compact(one) : String(Number(one.toPrecision(digits)))));
    if (new Set(texts).size === texts.length) return texts;
  }
  return marks.map(String);
}

/**
 * A text that fits into so many pixels of small type. It is cut in its middle: long names often
 * differ at their ends.
 * @param {string} text @param {number} room
 */
export function fitted(text, room) {
  const most = Math.max(1, Math.floor(room / 6.9));
  const letters = [...text];
  if (letters.length <= most) return text;
  const end = Math.floor((most - 1) * 0.4);
  return `${letters.slice(0, Math.max(1, most - 1 - end)).join("")}…${end ? letters.slice(-end).join("") : ""}`;
}
