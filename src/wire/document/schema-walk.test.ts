import assert from "node:assert/strict";
import test from "node:test";
import { z } from "zod";
import { keysAt } from "./schema-walk.ts";

test("keysAt() knows the keys of objects, and of mappings whose keys are listed", () => {
  const kinds = z.partialRecord(z.enum(["user", "device"]), z.string()).readonly();
  const schema = z.strictObject({
    kind: z.union([z.string(), z.strictObject({ claim: z.string(), is: kinds })]),
    named: z.record(z.string(), z.strictObject({ a: z.string() })).optional(),
  });
  assert.deepEqual(keysAt(schema, []), ["kind", "named"]);
  assert.deepEqual(keysAt(schema, ["kind"]), ["claim", "is"]);
  assert.deepEqual(keysAt(schema, ["kind", "is"]), ["user", "device"]);
  assert.deepEqual(keysAt(schema, ["named", "x"]), ["a"]);
  assert.deepEqual(keysAt(schema, ["named"]), []);
});
