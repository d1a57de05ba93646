import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { rowsOf } from "./describe-schema.ts";

const text = (what: string) => z.string().describe(what);

test("rowsOf() says of a key that one mapping of a union needs when it is needed", () => {
  const schema = z.strictObject({
    answer: z.union([
      z.strictObject({ revoke: text("Once."), reason: text("Why.") }),
      z.strictObject({ block: text("For long."), reason: text("Why.") }),
    ]),
    sink: z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("otlp"), endpoint: text("Where to.") }),
      z.strictObject({ type: z.literal("stdout") }),
    ]),
    alone: z.strictObject({ needed: text("Always.") }),
  });
  const rows = Object.fromEntries(
    rowsOf(schema).map(({ key, required, description }) => [key, [required, description]]),
  );
  assert.deepEqual(rows["answer.revoke"], [false, "Either this or `block`. Once."]);
  assert.deepEqual(rows["answer.reason"], [true, "Why."]);
  assert.deepEqual(rows["sink.endpoint"], [false, "Needed with `type: otlp`. Where to."]);
  assert.deepEqual(rows["sink.type"]?.[0], true);
  assert.deepEqual(rows["alone.needed"], [true, "Always."]);
});
