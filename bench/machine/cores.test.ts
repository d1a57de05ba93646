import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCoreList } from "./cores.ts";

test("parseCoreList() spreads ranges and keeps single cores", () => {
  assert.deepEqual(parseCoreList("0-2,5\n"), [0, 1, 2, 5]);
  assert.deepEqual(parseCoreList("3"), [3]);
});

test("parseCoreList() throws when it is not a list of cores", () => {
  assert.throws(() => parseCoreList("all"), TypeError);
});
