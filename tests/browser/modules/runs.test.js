import assert from "node:assert/strict";
import test from "node:test";
import { cellText, counted, quoted, term } from "./static/pages/runs/words.js";
import { path } from "./static/parts/spark.js";
import { sorted } from "./static/parts/table.js";

test("a term is put in quotes where a blank or a sign would end it", () => {
  assert.equal(term("config.lr", "<", "0.01"), "config.lr < 0.01");
  assert.equal(term("tag", ":", "best"), "tag:best");
  assert.equal(term("config.my key", "=", 'say "hi"'), '"config.my key" = "say \\"hi\\""');
  assert.equal(term("tag", ":", "a,b"), 'tag:"a,b"');
  assert.equal(term("name", "=", "C:\\nul"), 'name = "C:\\\\nul"');
  assert.equal(term("config.x", ">", "-1e-3"), "config.x > -1e-3");
  assert.equal(quoted(""), '""');
  assert.equal(quoted("-old"), '"-old"');
  assert.equal(quoted("val/loss"), "val/loss");
});

test("what stands in a cell is text", () => {
  assert.deepEqual([null, undefined, 0.1 + 0.2, true, "NaN", 7].map(cellText), ["–", "–", "0.3", "true", "NaN", "7"]);
  assert.equal(counted(1, "run"), "1 run");
  assert.equal(counted(5000, "run"), "5 000 runs");
});

test("a small line is broken where there is no number, and never leaves its place", () => {
  assert.equal(path([1, 2], undefined, 104, 24), "M2.0 22.0L102.0 2.0");
  assert.equal(path([1, null, 2, 2], undefined, 104, 24), "M2.0 22.0M68.7 2.0L102.0 2.0");
  assert.equal(path([3, 3], undefined, 104, 24), "M2.0 12.0L102.0 12.0");
  assert.equal(path([1, 2, 3], [0, 90, 100], 104, 24).split("L")[1], "92.0 12.0");
  for (const number of path([-1.7e308, 1.7e308, 0], undefined, 104, 24).match(/[\d.]+/g) ?? []) {
    assert.ok(Number(number) >= 0 && Number(number) <= 104, number);
  }
});

test("rows are sorted by numbers and words, and what is missing comes last", () => {
  const rows = [3, null, 1, NaN, 2].map((v) => ({ v }));
  assert.deepEqual(sorted(rows, (row) => row.v, false).map((row) => row.v), [1, 2, 3, null, NaN]);
  assert.deepEqual(sorted(rows, (row) => row.v, true).map((row) => row.v), [3, 2, 1, null, NaN]);
  const words = ["run 10", "run 9", "Run 1"].map((v) => ({ v }));
  assert.deepEqual(sorted(words, (row) => row.v, false).map((row) => row.v), ["Run 1", "run 9", "run 10"]);
});
