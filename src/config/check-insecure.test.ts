import assert from "node:assert/strict";
import { test } from "node:test";
import { authenticatorSchema } from "../identity/authenticator-options.ts";
import { INSECURE } from "./check-insecure.ts";
import { alternatives, shapeOf } from "../wire/document/schema-walk.ts";

/** Keys of mappings at every depth. */
function keysOf(schema: Parameters<typeof shapeOf>[0]): string[] {
  return alternatives(schema).flatMap((one) =>
    Object.entries(shapeOf(one) ?? {}).flatMap(([key, inner]) => [key, ...keysOf(inner)]),
  );
}

test("checkInsecureWarnings() has a finding for every insecure option of an authenticator", () => {
  const insecure = keysOf(authenticatorSchema).filter((key) => key.startsWith("insecure"));
  assert.deepEqual(new Set(insecure), new Set(Object.keys(INSECURE)));
});
