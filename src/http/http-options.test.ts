import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { listenerSchema, routeTimeoutsShape, serviceSchema } from "./http-options.ts";

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

test("serviceSchema reads endpoints", () => {
  const { endpoints } = serviceSchema.parse({
    endpoints: [
      "http://127.0.0.1:9001",
      "http://[::1]:9002/",
      "http://billing",
      "http://billing:80",
    ],
  });
  assert.deepEqual(endpoints, [
    { host: "127.0.0.1", port: 9001 },
    { host: "::1", port: 9002 },
    { host: "billing", port: 80 },
    { host: "billing", port: 80 },
  ]);
});

test("serviceSchema says what an endpoint must be", () => {
  const cases: [endpoint: string, message: RegExp][] = [
    ["https://billing:443", /plain HTTP\/1.1, not https:/],
    ["h2c://billing:80", /plain HTTP\/1.1, not h2c:/],
    ["billing:9001", /a URL such as/],
    ["127.0.0.1", /a URL such as/],
    ["http://billing:0", /a port from 1/],
    ["http://billing:9001/path", /without user, path/],
    ["http://me@billing:9001", /without user, path/],
    ["http://billing:9001?a", /without user, path/],
    ["http://billing:9001#a", /without user, path/],
  ];
  for (const [endpoint, message] of cases) {
    const result = serviceSchema.safeParse({ endpoints: [endpoint] });
    assert.match(result.error?.issues[0]?.message ?? "", message, endpoint);
  }
  assert.equal(serviceSchema.safeParse({ endpoints: [] }).success, false);
});

test("routeTimeoutsShape has defaults", () => {
  assert.deepEqual(z.strictObject(routeTimeoutsShape).parse({}), {
    timeout: 300_000,
    responseTimeout: 30_000,
    idleTimeout: 60_000,
  });
});

test("every option is documented for editors", () => {
  for (const schema of [listenerSchema, serviceSchema, z.strictObject(routeTimeoutsShape)]) {
    const text = JSON.stringify(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
    const { properties } = JSON.parse(text);
    for (const [name, property] of Object.entries<{ description?: string }>(properties)) {
      assert.ok(property.description !== undefined, `${name} has no description`);
    }
  }
});
