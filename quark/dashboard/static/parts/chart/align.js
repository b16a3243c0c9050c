// From series with axes of their own to the columns that are drawn.

/**
 * @typedef {object} Drawn
 * @property {any[]} data  x, then the columns
 * @property {{ line: number, raw: number, min: number, max: number }[]} places  for each series where
 *   its columns are; 0 for those that it has not
 */

/**
 * @param {import("../chart.js").ChartSeries[]} series
 * @param {{ smoothing: number, logX: boolean, logY: boolean }} options
 * @returns {Drawn}
 */
export function align(series, { smoothing, logX, logY }) {
  const places = [];
  let count = 1;
  const width = widthOf(series);
  const tables = series.map((one) => {
    const first = logX ? one.x.findIndex((x) => x > 0) : 0;
    const from = first < 0 ? one.x.length : first;
    const cut = (values) => drawable(from ? values.slice(from) : values, logY);
    const has = { raw: smoothing > 0, band: !!(one.min && one.max) };
    const place = { line: count, raw: 0, min: 0, max: 0 };
    count += 1;
    const columns = [cut(smooth(one.x, one.y, smoothing, width))];
    if (has.raw) {
      place.raw = count;
      count += 1;
      columns.push(cut(one.y));
    }
    if (has.band) {
      place.min = count;
      place.max = count + 1;
      count += 2;
      columns.push(cut(/** @type {any} */ (one.min)), cut(/** @type {any} */ (one.max)));
    }
    places.push(place);
    return [from ? one.x.slice(from) : one.x, ...columns];
  });
  if (!tables.length) return { data: [[]], places };
  if (tables.every(([x]) => sameNumbers(x, tables[0][0]))) return { data: [tables[0][0], ...tables.flatMap((table) => table.slice(1))], places };
  // 2: what another series has no point for is no gap of this one.
  return { data: uPlot.join(tables, tables.map((table) => table.map(() => 2))), places };
}

/** What a logarithm cannot show is a gap. @param {(number | null)[]} values @param {boolean} logY */
function drawable(values, logY) {
  return logY ? values.map((value) => (value !== null && value > 0 ? value : null)) : values;
}

/** @param {any[]} a @param {any[]} b */
function sameNumbers(a, b) {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

/** Of a curve of so many evenly spaced points, `weight` is what a point weighs less than the next. */
const POINTS_ACROSS = 1000;

/**
 * An exponential mean along x, without a bias towards zero: what lies behind weighs less by its
 * distance, not by how many points are between, so a curve is as smooth as another that was logged
 * ten times as often. It reaches back over the same part of the picture however far that goes.
 * @param {any} x @param {(number | null)[]} values @param {number} weight
 * @param {number} width  from the first to the last x of the picture
 */
export function smooth(x, values, weight, width) {
  if (!weight) return values;
  let sum = 0;
  let mass = 0;
  let before = 0;
  return values.map((value, place) => {
    if (value === null || !Number.isFinite(value)) return value;
    const kept = mass && width > 0 ? weight ** ((POINTS_ACROSS * (x[place] - before)) / width) : 1;
    before = x[place];
    sum = sum * kept + value;
    mass = mass * kept + 1;
    return sum / mass;
  });
}

/** @param {import("../chart.js").ChartSeries[]} series */
function widthOf(series) {
  const filled = series.filter((one) => one.x.length);
  return Math.max(...filled.map((one) => one.x[one.x.length - 1])) - Math.min(...filled.map((one) => one.x[0]));
}
