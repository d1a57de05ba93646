import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBenchOptions } from "./options.ts";

test("parseBenchOptions() has defaults, smaller ones when --quick", () => {
  assert.equal(parseBenchOptions([])?.rounds, 5);
  assert.equal(parseBenchOptions(["--quick"])?.rounds, 1);
  assert.equal(parseBenchOptions(["--quick", "--rounds", "3"])?.rounds, 3);
  assert.deepEqual(parseBenchOptions(["--only", "nginx,tokens"])?.only, ["nginx", "tokens"]);
  assert.equal(parseBenchOptions(["--help"]), undefined);
});

test("parseBenchOptions() throws at what it does not know, and at quick figures for the docs", () => {
  assert.throws(() => parseBenchOptions(["--secnods", "5"]), TypeError);
  assert.throws(() => parseBenchOptions(["--seconds", "0"]), TypeError);
  assert.throws(() => parseBenchOptions(["--quick", "--write-docs"]), TypeError);
});
