// The pure parts of a run's page.
import assert from "node:assert/strict";
import test from "node:test";
import { fits, readZoom, sections, writeZoom } from "./static/pages/run/charts/axis.js";
import { portions } from "./static/pages/run/charts/batch.js";
import { saidOf } from "./static/pages/run/events/words.js";
import { pieces, plain } from "./static/pages/run/logs/ansi.js";

test("a zoom comes back from the address as it was, whatever the axis is called", () => {
  for (const zoom of [
    { axis: "step", from: -3, to: 200.5 },
    { axis: "key:a:b c", from: 1e-9, to: 1e12 },
  ]) assert.deepEqual(readZoom(writeZoom(zoom)), zoom);
  for (const wrong of ["", "step", "step:1", "step:2:1", "step:a:b", "step:1:Infinity"]) assert.equal(readZoom(wrong), null);
  assert.equal(writeZoom(null), "");
});

test("sections with a loss come first, the others as they came", () => {
  const keys = ["lr", "gradients/a", "train/loss", "a/b/c", "train/lr"].map((key) => ({ key }));
  const names = sections(keys, { "train/loss": "train_loss" }).map(([name, inside]) => [name, inside.map((one) => one.key)]);
  assert.deepEqual(names, [["train", ["train/loss", "train/lr"]], ["metrics", ["lr"]], ["gradients", ["gradients/a"]], ["a", ["a/b/c"]]]);
});

test("what all others are drawn along comes last, for it says nothing by itself", () => {
  const keys = [{ key: "global_step", x: null }, { key: "rollout/reward", x: "global_step" }, { key: "train/loss", x: "global_step" }];
  assert.deepEqual(sections(keys, { "train/loss": "train_loss" }).map(([name]) => name), ["train", "rollout", "metrics"]);
});

test("an event is said in words, also one that was cut", () => {
  assert.equal(saidOf({ text: "{}", status: "completed" }), "completed");
  assert.equal(saidOf({ text: '{"title":"Converged","text":"below 0.3","level":"INFO"}', status: null }), "Converged · below 0.3 · level INFO");
  assert.equal(saidOf({ text: '{"artifact":"a/b:v0","digest":"0702","size_bytes":3680,"wait_seconds":90}', status: null }), "a/b:v0 · size 3.6 KB · wait 1 min 30 s");
  assert.equal(saidOf({ text: '{"label":"wandb","text":"8 works","details":["Run.wat', status: null }), "8 works · label wandb · …");
  for (const odd of ["[1,2]", "null", "3", "{", '"<b>"']) assert.equal(saidOf({ text: odd, status: null }), odd);
});

test("a search wants all of its words", () => {
  assert.ok(fits("val/Top1-accuracy", "acc VAL"));
  assert.ok(!fits("val/loss", "acc val"));
});

test("keys are asked for in addresses that are not too long, each once and in order", () => {
  const keys = Array.from({ length: 300 }, (_, number) => `${"ü".repeat(number % 90)}${number}`);
  const found = portions(keys);
  assert.deepEqual(found.flat(), keys);
  for (const one of found) assert.ok(one.length <= 40 && encodeURIComponent(one.join("")).length <= 5000);
  assert.ok(found.length > 8);
  assert.deepEqual(portions([]), []);
});

test("colours of a terminal become styles and nothing of them text", () => {
  assert.deepEqual(pieces("plain <b>"), [{ text: "plain <b>", css: "" }]);
  assert.deepEqual(pieces("\x1b[1;31mred\x1b[22m still\x1b[0m not"), [
    { text: "red", css: "ansi-red ansi-bold" },
    { text: " still", css: "ansi-red" },
    { text: " not", css: "" },
  ]);
  assert.deepEqual(pieces("\x1b[38;2;10;250;20mg\x1b[38;5;226my\x1b[48;5;1mz\x1b[39m."), [
    { text: "g", css: "ansi-green" },
    { text: "y", css: "ansi-yellow" },
    { text: "z", css: "ansi-yellow" },
    { text: ".", css: "" },
  ]);
  assert.equal(plain("\x1b]0;title\x07a\x1b[2Kb\x1b[?25lc\x1b]8;;http://x\x1b\\d"), "abcd");
});
