// Where the ticks of an axis are, and what range it has. uPlot walks from tick to tick by adding,
// and would walk for ever where numbers have no room for a step, or where it knows none so large.

/** The difference of two of them is still a number. */
const LARGEST = 8e307;
const SMALLEST = 1e-300;
const MOST = 100;

/**
 * Widen a range until there is room for ticks in it.
 * @param {number} low @param {number} high @returns {[number, number]}
 */
export function roomy(low, high) {
  const from = Math.max(-LARGEST, Math.min(low, LARGEST));
  const to = Math.max(-LARGEST, Math.min(high, LARGEST));
  const least = Math.max(Math.abs(from), Math.abs(to)) * 1e-11 || SMALLEST;
  if (to - from >= least) return [from, to];
  const middle = from / 2 + to / 2;
  const half = Math.max(least, SMALLEST);
  return [Math.max(-LARGEST, middle - half), Math.min(LARGEST, middle + half)];
}

/**
 * The same for a logarithm, whose ends are above zero.
 * @param {number} low @param {number} high @returns {[number, number]}
 */
export function roomyLog(low, high) {
  const from = Math.min(Math.max(low, SMALLEST), LARGEST);
  const to = Math.min(Math.max(high, SMALLEST), LARGEST);
  return to / from >= 1 + 1e-9 ? [from, to] : [Math.max(SMALLEST, from / 2), Math.min(LARGEST, to * 2)];
}

/** A step of 1, 2 or 5 times a power of ten, for about five ticks. @param {number} span */
function step(span) {
  const power = 10 ** Math.floor(Math.log10(span / 5));
  return [1, 2, 5, 10].map((many) => many * power).find((one) => span / one <= 6) ?? span;
}

/**
 * Ticks at multiples of a step.
 * @param {any} _ @param {number} __ @param {number} low @param {number} high
 * @param {number} wanted  the step that uPlot found; 0 if none
 * @returns {number[]}
 */
export function ticks(_, __, low, high, wanted) {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return Number.isFinite(low) ? [low] : [];
  const by = wanted > 0 && wanted <= span && span / wanted <= MOST ? wanted : step(span);
  const first = Math.ceil(low / by - 1e-9);
  const count = Math.floor(high / by + 1e-9) - first + 1;
  if (!(count >= 1 && count <= MOST)) return [low, high];
  return Array.from({ length: count }, (_, place) => Number(((first + place) * by).toPrecision(14)) || 0);
}

/**
 * Ticks of a logarithm: 1 to 9 times powers of ten, powers alone where there are many, and steps
 * where there is less than one.
 * @param {any} _ @param {number} __ @param {number} low @param {number} high
 * @returns {number[]}
 */
export function logTicks(_, __, low, high) {
  if (!(low > 0) || !(high > low)) return low > 0 ? [low] : [];
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = Math.ceil((to - from) / 12);
  const found = [];
  for (let power = Math.ceil(from / every) * every; power <= to; power += every) {
    for (const many of to - from > 4 ? [1] : [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      const tick = Number(`${many}e${power}`);
      if (tick >= low && tick <= high) found.push(tick);
    }
  }
  return found.length >= 2 ? found : ticks(_, __, low, high, 0).filter((tick) => tick > 0);
}
