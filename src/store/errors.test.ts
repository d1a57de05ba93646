/** Which failures pass by themselves and which do not, of both engines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "../model/errors.ts";
import { asPostgresError } from "./postgres-errors.ts";
import { describeSqliteError } from "./sqlite-errors.ts";

test("asPostgresError() tells what passes from what somebody has to look at", () => {
  const states: Readonly<Record<string, string>> = {
    "08006": "store-unavailable",
    "25006": "store-unavailable",
    "25P03": "store-unavailable",
    "28P01": "store-unavailable",
    "3D000": "store-unavailable",
    "40001": "store-unavailable",
    "40P01": "store-unavailable",
    "53100": "store-unavailable",
    "53300": "store-unavailable",
    "55P03": "store-unavailable",
    "57014": "store-unavailable",
    "57P01": "store-unavailable",
    "57P03": "store-unavailable",
    "58030": "store-unavailable",
    "26000": "store-failed",
    "42501": "store-failed",
    "42P01": "store-failed",
    "23505": "store-failed",
    XX001: "store-failed",
  };
  for (const [state, code] of Object.entries(states)) {
    const error = asPostgresError(Object.assign(new Error("text"), { code: state }));
    assert.equal(error.code, code, state);
    assert.ok(error.message.includes(state));
  }
  const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  assert.equal(asPostgresError(refused).code, "store-unavailable");
  assert.equal(asPostgresError(new Error("Connection terminated")).code, "store-unavailable");
  assert.match(asPostgresError(Object.assign(new Error(), { code: "26000" })).message, /PgBouncer/);
});

test("asPostgresError() repeats no value that was written, and keeps what is ours", () => {
  const values = Object.assign(new Error('invalid input "CANARY"'), {
    code: "22P02",
    detail: "Failing row contains (CANARY)",
  });
  assert.doesNotMatch(asPostgresError(values).message, /CANARY/);
  const ours = new SallyportError("store-failed", "ours");
  assert.equal(asPostgresError(ours), ours);
});

test("describeSqliteError() goes by the primary result code", () => {
  const codes: readonly (readonly [number, string, boolean])[] = [
    [5, "store-unavailable", true],
    [517, "store-unavailable", true],
    [6, "store-unavailable", true],
    [8, "store-unavailable", false],
    [10, "store-unavailable", false],
    [778, "store-unavailable", false],
    [13, "store-unavailable", false],
    [14, "store-unavailable", false],
    [1, "store-failed", false],
    [11, "store-failed", false],
    [26, "store-failed", false],
  ];
  for (const [errcode, code, usable] of codes) {
    const failure = describeSqliteError(Object.assign(new Error("near CANARY"), { errcode }));
    assert.deepEqual([failure.code, failure.usable], [code, usable], String(errcode));
    assert.doesNotMatch(failure.message, /CANARY/);
  }
  assert.equal(describeSqliteError(new Error("x")).code, "store-failed");
});
