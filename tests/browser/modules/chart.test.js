import assert from "node:assert/strict";
import test from "node:test";
import { align, smooth } from "./static/parts/chart/align.js";
import { labelled } from "./static/parts/chart/options.js";
import { logTicks, roomy, roomyLog, ticks } from "./static/parts/chart/ticks.js";
import { path } from "./static/parts/spark.js";
import { sorted } from "./static/parts/table.js";

/** The same mean, from its definition: what lies a thousandth of the width behind weighs `weight` times less. */
function slowly(x, values, weight, width) {
  return values.map((value, place) => {
    if (value === null || !Number.isFinite(value)) return value;
    const weights = values.slice(0, place + 1).map((one, at) => (one === null || !Number.isFinite(one) ? 0 : weight ** ((1000 * (x[place] - x[at])) / width)));
    const mass = weights.reduce((sum, one) => sum + one, 0);
    return weights.reduce((sum, one, at) => sum + (one && one * values[at]), 0) / mass;
  });
}

test("smoothing is an exponential mean along x, without a bias", () => {
  const values = [5, 1, null, NaN, 4, -2, 8, 8, 8];
  const x = [0, 1, 2, 3, 4, 4, 7, 8, 20];
  for (const weight of [0.3, 0.9, 0.99, 0.999]) {
    for (const width of [20, 1000, 1e12]) {
      const found = smooth(x, values, weight, width);
      slowly(x, values, weight, width).forEach((wanted, place) => {
        if (wanted === null || Number.isNaN(wanted)) assert.ok(Object.is(found[place], wanted));
        else assert.ok(Math.abs(found[place] - wanted) < 1e-9, `${weight} at ${place}`);
      });
    }
  }
  assert.equal(smooth(x, values, 0, 20), values);
  assert.deepEqual(smooth([1, 2, 3], [3, 3, 3], 0.95, 2).map((one) => Number(one.toFixed(9))), [3, 3, 3]);
  assert.deepEqual(smooth([7], [3], 0.9, 0), [3]);
  const even = smooth([...Array(1001).keys()], values.concat(Array(992).fill(1)), 0.9, 1000);
  assert.ok(Math.abs(even[1] - (5 * 0.9 + 1) / 1.9) < 1e-12); // a point a thousandth: the mean of TensorBoard
});

test("a curve is as smooth as the same one that was logged ten times as often", () => {
  const wave = (x) => Math.sin(x / 60) + x / 500;
  const often = [...Array(10_001).keys()].map((one) => one / 10);
  const seldom = often.filter((_, place) => place % 10 === 0);
  const [one, other] = [often, seldom].map((x) => smooth(x, x.map(wave), 0.98, 1000));
  for (const place of [100, 500, 1000]) assert.ok(Math.abs(one[place * 10] - other[place]) < 0.02, `${place}`);
});

test("a logarithm shows what it can", () => {
  const options = { smoothing: 0, logX: true, logY: true };
  const { data } = align([{ label: "a", x: [0, 1, 2], y: [1, 0, 4] }], options);

  assert.deepEqual(data[0], [1, 2]);
  assert.deepEqual(data[1], [null, 4]);
});

test("a spark is drawn inside of its box, whatever the values", () => {
  for (const y of [[1, 2, 3], [1e308, -1e308, 0], [NaN, 1, null, Infinity, 2], [7], [5e-324, 0]]) {
    const numbers = path(y, undefined, 100, 20).match(/-?\d+\.\d/g)?.map(Number) ?? [];
    assert.ok(numbers.every((one) => one >= 0 && one <= 100), `${y}: ${numbers}`);
  }
});

test("rows are sorted by number, by text as people count, and the missing ones last", () => {
  const by = (values, descending = false) => sorted(values.map((value) => ({ value })), (row) => row.value, descending).map((row) => row.value);

  assert.deepEqual(by([3, null, 1, NaN, 2]), [1, 2, 3, null, NaN]);
  assert.deepEqual(by([3, null, 1, 2], true), [3, 2, 1, null]);
  assert.deepEqual(by(["run10", "run9", "run1"]), ["run1", "run9", "run10"]);
});

test("an axis has ticks for all numbers, in its range and not too many", () => {
  const numbers = [-1.7e308, -1e16, -3, -1e-9, -5e-324, 0, 5e-324, 1e-320, 1e-40, 0.1, 1, 1 + 2 ** -52, 1.3, 1e9, 1e16, 1e16 + 2, 1e40, 1e300, 1.7e308];
  for (const low of numbers) {
    for (const high of numbers.filter((one) => one >= low)) {
      for (const wanted of [0, 1e-32, 0.5, 1e32]) {
        const [from, to] = roomy(low, high);
        const found = ticks(null, 0, from, to, wanted);
        check(found, from, to, `${low} to ${high} by ${wanted}`);
      }
      if (low <= 0) continue;
      const [from, to] = roomyLog(low, high);
      check(logTicks(null, 0, from, to), from, to, `${low} to ${high}, logarithm`);
    }
  }
});

function check(found, from, to, what) {
  assert.ok(Number.isFinite(to - from) && to > from, what);
  assert.ok(found.length >= 1 && found.length <= 101, `${what}: ${found.length}`);
  const room = (to - from) * 1e-6;
  assert.ok(found.every((tick, place) => tick >= from - room && tick <= to + room && (place === 0 || tick > found[place - 1])), `${what}: ${found}`);
}

test("a logarithm's labels have room, and are the round numbers", () => {
  for (const [low, high] of [[1e-3, 4e37], [0.02, 0.1], [0.03, 3.5], [1, 1e5], [0.85, 1.02], [1.05, 1.32], [1e-300, 1e300]]) {
    const ticks = logTicks(null, 0, low, high);
    const shown = labelled(ticks, true).filter((tick) => tick !== null);
    const places = shown.map((tick) => (Math.log10(tick) - Math.log10(ticks[0])) / (Math.log10(ticks[ticks.length - 1]) - Math.log10(ticks[0])));
    assert.ok(shown.length >= 2 && shown.length <= 13, `${low} to ${high}: ${shown}`);
    places.forEach((place, index) => index && assert.ok(place - places[index - 1] >= 0.084, `${low} to ${high}: ${shown}`));
  }
  assert.deepEqual(labelled(logTicks(null, 0, 0.5, 20), true).filter((tick) => tick !== null), [0.5, 0.7, 1, 2, 3, 5, 7, 10, 20]);
  assert.deepEqual(labelled([0, 1, 2], false), [0, 1, 2]);
});

test("ticks are where people expect them", () => {
  assert.deepEqual(ticks(null, 0, 0, 1, 0), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(null, 0, -0.06, 1.06, 0.5), [0, 0.5, 1]);
  assert.deepEqual(logTicks(null, 0, 0.5, 20), [0.5, 0.6, 0.7, 0.8, 0.9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20]);
  assert.deepEqual(logTicks(null, 0, 1e-6, 1.5), [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1]);
  assert.deepEqual(logTicks(null, 0, 1.05, 1.32), [1.05, 1.1, 1.15, 1.2, 1.25, 1.3]);
});
