import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { serviceSchema } from "./service-options.ts";

const NAME = { host: "billing.internal.", port: 9001, discover: "billing.internal." };

test("serviceSchema reads endpoints", () => {
  const { endpoints } = serviceSchema.parse({
    endpoints: [
      "http://127.0.0.1:9001",
      "http://[::1]:9002/",
      "http://billing",
      "http://billing:80",
      "https://billing",
      "https://billing:443",
      "https://billing:80",
      "h2c://billing",
      "h2c://[::1]:9001/",
      "h2://Billing:9443",
      "h2://billing",
      "dns+h2c://billing.internal.:9001",
      "dns://billing.internal.:9001",
    ],
  });
  assert.deepEqual(endpoints, [
    { host: "127.0.0.1", port: 9001, weight: 1 },
    { host: "::1", port: 9002, weight: 1 },
    { host: "billing", port: 80, weight: 1 },
    { host: "billing", port: 80, weight: 1 },
    { host: "billing", port: 443, secure: true, weight: 1 },
    { host: "billing", port: 443, secure: true, weight: 1 },
    { host: "billing", port: 80, secure: true, weight: 1 },
    { host: "billing", port: 80, http2: true, weight: 1 },
    { host: "::1", port: 9001, http2: true, weight: 1 },
    { host: "billing", port: 9443, secure: true, http2: true, weight: 1 },
    { host: "billing", port: 443, secure: true, http2: true, weight: 1 },
    { ...NAME, http2: true, weight: 1 },
    { ...NAME, weight: 1 },
  ]);
  const weighted = serviceSchema.parse({ endpoints: [{ url: "http://billing:81", weight: 3 }] });
  assert.deepEqual(weighted.endpoints, [{ host: "billing", port: 81, weight: 3 }]);
});

test("serviceSchema says what an endpoint must be", () => {
  const cases: [endpoint: string, message: RegExp][] = [
    ["grpc://billing:80", /h2c:\/\/host:port .* for HTTP\/2 and gRPC.* no grpc:/],
    ["h3://billing:80", /nothing else is spoken to services, no h3:/],
    ["h2c://billing:80/path", /only h2c:\/\/host:port, without user, path/],
    ["h2c://me@billing:80", /without user, path/],
    ["h2://billing:0", /a port from 1/],
    ["h2://", /a URL such as/],
    ["dns+h2c://10.0.0.1:9001", /a name, such as dns\+h2c:/],
    ["https://billing:443/path", /only https:\/\/host:port, without user, path/],
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
    const [issue] = result.error?.issues ?? [];
    assert.ok(issue?.code === "invalid_union");
    assert.match(issue.errors[0]?.[0]?.message ?? "", message, endpoint);
  }
  assert.equal(serviceSchema.safeParse({ endpoints: [] }).success, false);
});

test("every option of a service is documented for editors", () => {
  const text = JSON.stringify(
    z.toJSONSchema(serviceSchema, { io: "input", unrepresentable: "any" }),
  );
  const { properties } = JSON.parse(text);
  for (const [name, property] of Object.entries<{ description?: string }>(properties)) {
    assert.ok(property.description !== undefined, `${name} has no description`);
  }
});
