import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../model/errors.ts";
import { logLevel } from "./log-level.ts";

test("logLevel() is undefined where nothing is said, and what is said otherwise", () => {
  assert.equal(logLevel({}), undefined);
  assert.equal(logLevel({ SALLYPORT_LOG_LEVEL: "" }), undefined);
  assert.equal(logLevel({ SALLYPORT_LOG_LEVEL: "debug" }), "debug");
});

test("logLevel() refuses what is no level", () => {
  assert.throws(() => logLevel({ SALLYPORT_LOG_LEVEL: "verbose" }), ConfigError);
});
