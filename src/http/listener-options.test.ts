import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { listenerSchema } from "./listener-options.ts";

test("listenerSchema fills in every limit", () => {
  const listener = listenerSchema.parse({ name: "edge", address: "127.0.0.1:0" });
  assert.deepEqual(listener.limits, {
    headBytes: 32_768,
    headFields: 100,
    targetBytes: 8192,
    bodyBytes: 1024 ** 3,
    headTimeout: 10_000,
    idleTimeout: 75_000,
    bodyTimeout: 30_000,
    bodyRate: 1024,
    readTimeout: 60_000,
    connections: 10_000,
    pipelinedBytes: 65_536,
    drainedBytes: 65_536,
  });
});

test("listenerSchema refuses what it does not know", () => {
  const base = { name: "edge", address: "127.0.0.1:0" };
  for (const wrong of [
    { ...base, tls: {} },
    { ...base, limits: { headBites: "1KiB" } },
    { ...base, limits: { headBytes: "2MiB" } },
    { ...base, publicOrigin: "https://api.example.com/path" },
    { ...base, publicOrigin: "ftp://api.example.com" },
    { ...base, address: "127.0.0.1" },
  ]) {
    assert.equal(listenerSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
  }
  assert.ok(listenerSchema.safeParse({ ...base, publicOrigin: "https://api.example.com" }).success);
});

test("every option of a listener is documented for editors", () => {
  const text = JSON.stringify(
    z.toJSONSchema(listenerSchema, { io: "input", unrepresentable: "any" }),
  );
  const { properties } = JSON.parse(text);
  for (const [name, property] of Object.entries<{ description?: string }>(properties)) {
    assert.ok(property.description !== undefined, `${name} has no description`);
  }
});
