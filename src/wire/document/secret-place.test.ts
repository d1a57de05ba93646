import assert from "node:assert/strict";
import { test } from "node:test";
import { isSecretPlace } from "./secret-place.ts";

const SECRET = [
  ["audit", "sinks", 0, "secret"],
  ["audit", "sinks", 0, "headers", "authorization"],
  ["tracing", "otlp", "headers", "x-any"],
  ["authenticators", "people", "client", "secret"],
  ["authenticators", "a", "tokens", 0],
] as const;

const PLAIN = [
  ["listeners", 0, "address"],
  ["authenticators", "a", "client", "passwordFile"],
  ["routes", 0, "cors", "headers", 0],
  ["routes", 0, "response", "headers", "set", "x-team"],
  [],
] as const;

test("isSecretPlace() is true where a secret may be written, and nowhere else", () => {
  for (const path of SECRET) assert.ok(isSecretPlace(path), path.join("."));
  for (const path of PLAIN) assert.ok(!isSecretPlace(path), path.join("."));
});
