import assert from "node:assert/strict";
import test from "node:test";
import { match } from "./static/core/router.js";

const RUN = "/runs/:runId/:tab?/:item?";

test("an address gives its parts", () => {
  assert.deepEqual(match(RUN, "/runs/a"), { runId: "a" });
  assert.deepEqual(match(RUN, "/runs/a/layers/fc.1%2Fweight"), { runId: "a", tab: "layers", item: "fc.1/weight" });
  assert.deepEqual(match("/runs", "/runs/"), {});
  assert.deepEqual(match(RUN, "/runs/%3Cscript%3E"), { runId: "<script>" });
});

test("another address gives nothing", () => {
  for (const path of ["/runs", "/run/a", "/runs/a/b/c/d", "/", "", "/compare"]) assert.equal(match(RUN, path), null);
  assert.equal(match(RUN, "/runs/%zz"), null);
});

test("an address cannot name what objects are made of", () => {
  assert.deepEqual(match(RUN, "/runs/__proto__/constructor"), { runId: "__proto__", tab: "constructor" });
});
