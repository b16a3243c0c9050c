import assert from "node:assert/strict";
import { test } from "node:test";
import { fitted, markTexts, nearest, range, ticks } from "./static/parts/plot/scale.js";
import { said } from "./static/parts/plot.js";

test("a range is never empty and has its values inside", () => {
  for (const values of [[], [0], [3, 3], [5e-324, 1e-320], [-1e300, 1e300], [1, 1 + 2 ** -52], [-2, 5]]) {
    const [low, high] = range(values);
    assert.ok(high > low && Number.isFinite(1 / (high - low)), String(values));
    for (const value of values) assert.ok(low <= value && value <= high);
  }
  assert.deepEqual(range([2, 3], { zero: true, air: 0 }), [0, 3]);
  assert.equal(range([-2, -3], { zero: true })[1], 0);
});

test("marks are round, inside, few, and told apart", () => {
  for (const [low, high] of [[0, 1], [-3.2, 7.9], [1, 1 + 1e-9], [-1e300, 1e300], [146.1, 198.3], [0, 1e-5]]) {
    const marks = ticks(low, high, 6);
    assert.ok(marks.length >= 2 && marks.length <= 8, `${low} ${high}: ${marks}`);
    for (const mark of marks) assert.ok(mark >= low - (high / 1e6 - low / 1e6) && mark <= high + (high / 1e6 - low / 1e6));
    assert.equal(new Set(markTexts(marks)).size, marks.length);
  }
  assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
});

test("the nearest of ascending numbers is the one that a loop finds", () => {
  const numbers = [-4, -1, 0, 0, 2, 7.5];
  for (let value = -6; value < 9; value += 0.25) {
    const least = Math.min(...numbers.map((one) => Math.abs(one - value)));
    assert.equal(Math.abs(numbers[nearest(numbers, value)] - value), least);
  }
});

test("a text that is too long is cut in its middle, between characters", () => {
  assert.equal(fitted("short", 200), "short");
  assert.match(fitted("class number 12 of many", 100), /^class.*….*many$/);
  assert.ok(!/[\ud800-\udbff](?![\udc00-\udfff])/.test(fitted("👩‍👩‍👧‍👦".repeat(20), 90)));
});

test("what a drawing leaves out is said", () => {
  assert.deepEqual(said({ kind: "line", rows: 3, skipped: 0, is_thinned: false }), []);
  const notes = said({ kind: "scatter", rows: 90000, skipped: 7, is_thinned: true, more_lines: 2 });
  assert.equal(notes.length, 3);
  assert.match(notes.join(" "), /90 000 rows.*2 more classes.*7 of 90 000/);
});
