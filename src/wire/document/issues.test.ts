import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { check } from "./issues.ts";

const answer = z.union([
  z.strictObject({ revoke: z.literal(true), reason: z.string().optional() }),
  z.strictObject({ block: z.string(), reason: z.string().optional() }),
]);

function said(value: unknown): string[] {
  const schema = z.strictObject({ answer });
  const checked = check(schema, { base: [], value: { answer: value }, written: new Map() });
  if (!("problems" in checked)) return [];
  return checked.problems.map(
    ({ path, message, remedy = "" }) => `${path.join(".")}: ${message}: ${remedy}`,
  );
}

test("check() says of mappings that exclude each other which keys do", () => {
  assert.deepEqual(said({ block: "15m", reason: "x" }), []);
  assert.deepEqual(said({ block: "15m", revoke: true }), [
    'answer.block: "block" cannot stand beside "revoke": one of them',
  ]);
  assert.deepEqual(said({}), [
    'answer: "answer" cannot be this mapping: a mapping with revoke or block',
  ]);
  assert.deepEqual(said({ block: "15m", reasn: "x" }), [
    'answer.reasn: unknown key "reasn": did you mean "reason"?',
  ]);
});
