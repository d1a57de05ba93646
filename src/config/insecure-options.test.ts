import assert from "node:assert/strict";
import { test } from "node:test";
import { authenticatorSchema } from "../identity/authenticator-options.ts";
import { INSECURE, insecureOptions } from "./insecure-options.ts";
import { alternatives, shapeOf } from "../wire/document/schema-walk.ts";

/** Keys of mappings at every depth. */
function keysOf(schema: Parameters<typeof shapeOf>[0]): string[] {
  return alternatives(schema).flatMap((one) =>
    Object.entries(shapeOf(one) ?? {}).flatMap(([key, inner]) => [key, ...keysOf(inner)]),
  );
}

test("insecureOptions() has words for every insecure option of an authenticator", () => {
  const insecure = keysOf(authenticatorSchema).filter((key) => key.startsWith("insecure"));
  assert.deepEqual(new Set(insecure), new Set(Object.keys(INSECURE)));
});

test("insecureOptions() tells of those that are on, at any depth, and of no other", () => {
  const options = authenticatorSchema.parse({
    type: "oidc",
    issuer: "http://login.example.com",
    client: { id: "app", secret: "x" },
    principal: { kind: "user" },
    insecureHttp: true,
    session: { cookie: { insecurePlaintext: true } },
  });
  assert.deepEqual(
    insecureOptions(options).map(({ path }) => path.join(".")),
    ["session.cookie.insecurePlaintext", "insecureHttp"],
  );
});
