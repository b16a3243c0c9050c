// A scale of colours that eyes of all kinds can read, in print too: dark is little, bright is much
// (viridis, by Stéfan van der Walt and Nathaniel Smith, CC0).

const STOPS = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37],
];

/** @param {number} share  0 to 1 @returns {string} */
export function scaleColor(share) {
  const at = Math.min(1, Math.max(0, share)) * (STOPS.length - 1);
  const low = Math.min(STOPS.length - 2, Math.floor(at));
  const parts = STOPS[low].map((from, index) => Math.round(from + (STOPS[low + 1][index] - from) * (at - low)));
  return `rgb(${parts.join(",")})`;
}

/**
 * Where a value lies between the ends of a scale, 0 to 1.
 * @param {number} value @param {{ low: number, high: number, log: boolean }} scale
 */
export function shareOf(value, { low, high, log }) {
  if (log) return value <= 0 ? 0 : (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low));
  return (value - low) / (high - low);
}

/** The value at a place of a scale. @param {number} share @param {{ low: number, high: number, log: boolean }} scale */
export function valueAt(share, { low, high, log }) {
  if (log) return Math.exp(Math.log(low) + share * (Math.log(high) - Math.log(low)));
  return low + share * (high - low);
}
