import assert from "node:assert/strict";
import { test } from "node:test";
import { sinksSchema } from "./sink-options.ts";

const hook = { name: "hook", type: "webhook", url: "https://hook.example/in" };
const otel = { name: "otel", type: "otlp", endpoint: "https://otel.example" };
const SECRET = `whsec_${Buffer.alloc(24, 1).toString("base64")}`;

/** Where it is refused; empty where it is taken. */
function refusedAt(...sinks: readonly object[]): string[] {
  const parsed = sinksSchema.safeParse(sinks);
  return parsed.success ? [] : parsed.error.issues.map(({ path }) => path.join("."));
}

test("sinksSchema takes each kind", () => {
  const out = { name: "out", type: "stdout", only: ["event"], from: "beginning", maxLag: "1MiB" };
  const signed = { ...hook, secret: SECRET, headers: { authorization: "Bearer x" } };
  assert.deepEqual(refusedAt(out, signed, { ...otel, resource: { "service.name": "edge" } }), []);
});

for (const [what, sink, place] of [
  ["plain http to elsewhere", { ...hook, url: "http://hook.example/" }, "0.url"],
  ["plain http to elsewhere", { ...otel, endpoint: "http://otel.example" }, "0.endpoint"],
  ["a user in a URL", { ...hook, url: "https://u:p@hook.example/" }, "0.url"],
  ["an endpoint with a query", { ...otel, endpoint: "https://otel.example?a=b" }, "0.endpoint"],
  ["a secret that is none", { ...hook, secret: "whsec_short" }, "0.secret"],
  ["a secret without its prefix", { ...hook, secret: SECRET.slice(6) }, "0.secret"],
  ["a secret that is too short", { ...hook, secret: `whsec_${btoa("short")}` }, "0.secret"],
  ["a field that we write", { ...hook, headers: { "Webhook-Signature": "v1,x" } }, "0.headers"],
  ["a field that we write", { ...otel, headers: { "content-encoding": "br" } }, "0.headers"],
  ["a value with a line break", { ...hook, headers: { a: "b\r\nc" } }, "0.headers.a"],
  ["no type of record at all", { ...hook, only: [] }, "0.only"],
  ["an unknown type of record", { ...hook, only: ["metric"] }, "0.only.0"],
  ["an unknown key", { ...hook, retries: 3 }, "0"],
  ["a name that is no file name", { ...hook, name: "../x" }, "0.name"],
] as const) {
  test(`sinksSchema refuses ${what}: ${JSON.stringify(sink).slice(-50)}`, () => {
    assert.deepEqual(refusedAt(sink), [place]);
  });
}

test("sinksSchema refuses two sinks of one name", () => {
  assert.deepEqual(refusedAt(hook, { ...otel, name: "hook" }), ["1.name"]);
});

test("sinksSchema takes plain http on loopback, and elsewhere where it is asked for", () => {
  assert.deepEqual(refusedAt({ ...hook, url: "http://127.0.0.1:9/in" }), []);
  assert.deepEqual(refusedAt({ ...otel, endpoint: "http://a.example", insecureHttp: true }), []);
});
