import assert from "node:assert/strict";
import test from "node:test";
import { ago, bytes, compact, duration, elapsed, moment, number } from "./static/core/format.js";

test("a number keeps what it means", () => {
  for (const [value, text] of [
    [null, "–"], [undefined, "–"], ["text", "text"], [NaN, "NaN"], [Infinity, "∞"], [-Infinity, "−∞"],
    [0, "0"], [-0, "0"], [12, "12"], [1234567, "1\u00a0234\u00a0567"], [0.1 + 0.2, "0.3"], [0.123456789, "0.12346"],
    [1e-7, "1e-7"], [-2.5e-9, "-2.5e-9"], [1e12, "1e+12"], [1.23456e-7, "1.235e-7"], [99999.99, "100000"],
  ]) assert.equal(number(value).replaceAll(/[\u2009\u202f ]/g, "\u00a0"), text, String(value));
});

test("a number of any size is near what it was", () => {
  for (let exponent = -300; exponent < 300; exponent += 7) {
    for (const sign of [1, -1]) {
      const value = sign * 1.2345678 * 10 ** exponent;
      const read = Number(number(value).replaceAll(/[^\d.eE+-]/g, ""));
      assert.ok(Math.abs(read / value - 1) < 1e-3, `${value} became ${number(value)}`);
    }
  }
});

test("bytes have a unit that fits", () => {
  for (const [size, text] of [
    [null, "–"], [0, "0 B"], [1023, "1023 B"], [1024, "1.0 KB"], [1536, "1.5 KB"], [10 * 1024 ** 2, "10 MB"], [5e15, "4547 TB"],
  ]) assert.equal(bytes(size), text);
});

test("a duration never has 60 seconds or 60 minutes", () => {
  for (let seconds = 0; seconds < 400000; seconds = seconds * 1.013 + 0.049) {
    for (const say of [duration, elapsed]) {
      assert.doesNotMatch(say(seconds), /(^|[^\d.])60 ?(s|min|m)/, `${seconds}`);
    }
  }
  for (const [seconds, text] of [
    [null, "–"], [NaN, "–"], [0.0204, "20 ms"], [3.21, "3.2 s"], [59.4, "59 s"], [60, "1 min 0 s"], [3600, "1 h 0 min"], [200000, "2 d 7 h"],
  ]) assert.equal(duration(seconds), text);
  assert.equal(elapsed(-90), "−1m 30s");
  assert.equal(elapsed(3900), "1h 05m");
});

test("a time that is none is said as it is", () => {
  assert.equal(ago("yesterday, perhaps"), "yesterday, perhaps");
  assert.equal(moment("<b>"), "<b>");
  assert.equal(ago(null), "–");
  assert.equal(ago(new Date().toISOString()), "just now");
  assert.equal(ago(new Date(Date.now() - 3 * 3600e3).toISOString()), "3 h ago");
});

test("an axis has short numbers that are still the right ones", () => {
  for (const [value, text] of [[0, "0"], [1500000, "1.5M"], [20000, "20k"], [9999, "9999"], [-2e9, "-2B"], [1e-5, "1e-5"], [0.001, "0.001"]])
    assert.equal(compact(value), text);
});
