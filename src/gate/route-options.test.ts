import assert from "node:assert/strict";
import { test } from "node:test";
import { routeSchema, type RouteInput } from "./route-options.ts";

const LEAST: RouteInput = { name: "a", path: "/a/*", service: "s", authenticate: ["corp"] };

/** `path: message` of each issue. */
function issues(changes: Record<string, unknown>): string[] {
  const result = routeSchema.safeParse({ ...LEAST, ...changes });
  return (result.error?.issues ?? []).map((issue) => `${issue.path.join(".")}: ${issue.message}`);
}

test("routeSchema fills in the documented defaults", () => {
  const route = routeSchema.parse(LEAST);
  assert.equal(route.credentials, "strip");
  assert.equal(route.pathParameters, "refuse");
  assert.equal(route.timeout, 300_000);
  assert.equal(route.responseTimeout, 30_000);
  assert.equal(route.idleTimeout, 60_000);
  assert.equal(route.limits.bodyBytes, 1024 ** 3);
  assert.deepEqual(route.attributes, {});
});

test("routeSchema refuses a route without authenticate, and anonymous where it is not last", () => {
  assert.match(issues({ authenticate: undefined })[0] ?? "", /^authenticate: /);
  assert.match(issues({ authenticate: [] })[0] ?? "", /^authenticate: at least one/);
  assert.match(
    issues({ authenticate: ["anonymous", "corp"] })[0] ?? "",
    /^authenticate\.0: .*last/,
  );
  assert.match(issues({ authenticate: ["corp", "corp"] })[0] ?? "", /^authenticate\.1: .*once/);
  assert.deepEqual(issues({ authenticate: ["corp", "anonymous"] }), []);
});

test("routeSchema takes hosts in lower case without a port, a wildcard only in front", () => {
  for (const host of ["api.example.com", "*.example.com", "localhost", "127.0.0.1", "[::1]"]) {
    assert.deepEqual(issues({ host }), [], host);
  }
  for (const host of [
    "API.example.com",
    "a.com:80",
    "*",
    "*.*.com",
    "a.*.com",
    "a_b.com",
    "-a.b",
  ]) {
    assert.match(issues({ host })[0] ?? "", /^host: /, host);
  }
});

test("routeSchema lower-cases the names of header fields and keeps their values", () => {
  const headers = { set: { "X-Team": "pay ments" }, remove: ["X-Debug"] };
  const route = routeSchema.parse({ ...LEAST, request: { headers } });
  assert.deepEqual(route.request?.headers?.set, [
    { key: "X-Team", name: "x-team", value: ["pay ments"] },
  ]);
  assert.deepEqual(route.request?.headers?.remove, ["x-debug"]);
});

test("routeSchema refuses header fields that frame, that are ours, and values that end a field", () => {
  const cases: [headers: unknown, issue: RegExp][] = [
    [{ set: { "Transfer-Encoding": "chunked" } }, /set\.Transfer-Encoding: /],
    [{ set: { content_length: "0" } }, /set\.content_length: /],
    [{ set: { "x-sallyport-assertion": "a" } }, /set\.x-sallyport-assertion: /],
    [{ remove: ["Sallyport-Decision"] }, /remove\.0: .*only the proxy speaks/],
    [{ set: { "a b": "a" } }, /set\.a b: /],
    [{ set: { "x-a": "a\r\nb: c" } }, /visible ASCII/],
    [{ set: { "x-a": " a" } }, /visible ASCII/],
    [{ set: { "x-a": "é" } }, /visible ASCII/],
    [{ set: { "x-a": "" } }, /visible ASCII/],
    [{ set: { "x-a": "1", "X-A": "2" } }, /set\.X-A: "x-a" only once/],
    [{ set: { "x-a": "1" }, remove: ["X-A"] }, /remove\.0: either set or remove/],
  ];
  for (const [headers, issue] of cases) {
    for (const side of ["request", "response"]) {
      assert.match(issues({ [side]: { headers } }).join("\n"), issue, JSON.stringify(headers));
    }
  }
});

test("routeSchema keeps a caller's address and trace from being forged, but not a response's", () => {
  for (const name of ["X_Forwarded_For", "forwarded", "x-real-ip", "x-request-id", "traceparent"]) {
    const headers = { remove: [name] };
    assert.match(issues({ request: { headers } })[0] ?? "", /only the proxy speaks/, name);
  }
  assert.deepEqual(issues({ response: { headers: { remove: ["via", "server"] } } }), []);
});

test("routeSchema refuses a rewrite that has nothing to replace and ';' that no request may have", () => {
  assert.match(issues({ path: "/a", rewrite: { prefix: "/" } })[0] ?? "", /^rewrite: /);
  assert.match(issues({ rewrite: { prefix: "/{x}" } })[0] ?? "", /^rewrite\.prefix: /);
  assert.match(issues({ path: "/a;v=1" })[0] ?? "", /^path: .*pathParameters/);
  assert.deepEqual(issues({ path: "/a;v=1", pathParameters: "allow" }), []);
  // Every request of such a route would be refused.
  assert.match(issues({ rewrite: { prefix: "/b;c" } })[0] ?? "", /^rewrite\.prefix: .*pathParam/);
  assert.deepEqual(issues({ rewrite: { prefix: "/b;c" }, pathParameters: "allow" }), []);
});

test("routeSchema takes attributes of the four types and 64 bits", () => {
  const attributes = { a: "x", b: true, c: 2n ** 63n - 1n, d: ["x"], e: 7 };
  assert.deepEqual(routeSchema.parse({ ...LEAST, attributes }).attributes, attributes);
  for (const value of [1.5, null, { x: 1 }, [1], 2n ** 63n]) {
    assert.match(issues({ attributes: { a: value } })[0] ?? "", /^attributes\.a: /);
  }
  assert.match(issues({ attributes: { "a-b": 1 } })[0] ?? "", /^attributes\.a-b: /);
});
