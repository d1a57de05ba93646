import assert from "node:assert/strict";
import { test } from "node:test";
import { shownConfig } from "./shown-config.ts";

const CANARY = "canary-s3cret";

void test("shownConfig() holds no secret, wherever one can be written", () => {
  const shown = shownConfig({
    authenticators: {
      people: { client: { id: "console", secret: CANARY } },
      other: { client: { secret: "${env:SECRET}" }, jwks: `https://user:${CANARY}@idp.example/k` },
      tokens: { apiKey: CANARY, tokens: [CANARY, CANARY], password: 1234 },
    },
    routes: [
      {
        request: {
          headers: { set: { "x-api-key": CANARY }, add: { a: `Bearer ${CANARY}` }, remove: ["x"] },
          query: { set: { key: CANARY } },
          body: { set: { "/key": CANARY } },
        },
      },
    ],
    tracing: { otlp: { endpoint: `https://otel.example/v1?key=${CANARY}` } },
    audit: {
      sinks: [{ url: `https://hook.example/${CANARY}`, secret: CANARY }],
      checkpoints: {
        witnesses: [{ url: `https://hook.example/${CANARY}`, headers: { authorization: CANARY } }],
      },
    },
    signs: { webhook: { url: `https://hook.example/${CANARY}`, headers: { "x-any": CANARY } } },
    authority: {
      store: `postgres://sallyport:${CANARY}@db.example/sallyport`,
      keyEncryptionKey: { command: ["kms", "--pin", CANARY], previous: [{ command: [CANARY] }] },
    },
  });
  const text = JSON.stringify(shown);
  assert.ok(!text.includes(CANARY), text);
  assert.ok(!text.includes("1234"), text);
  assert.match(text, /"secret":"\$\{env:SECRET\}"/);
  assert.match(text, /postgres:\/\/\*\*\*@db\.example\/sallyport/);
  assert.match(text, /"x-api-key":"\*\*\*"/);
});

void test("shownConfig() masks a secret beside an expression", () => {
  assert.deepEqual(shownConfig({ secret: `\${env:A}${CANARY}` }), { secret: "***" });
});

void test("shownConfig() leaves everything else as it is written", () => {
  const plain = {
    version: 1,
    listeners: [{ name: "edge", serve: ["token"], tls: { key: "a.key" }, limits: { big: null } }],
    routes: [
      {
        path: "/a/*",
        credentials: "strip",
        response: { headers: { set: { a: "b" } } },
        cors: { headers: ["x-a"] },
      },
    ],
  };
  assert.deepEqual(shownConfig(plain), plain);
  assert.deepEqual(shownConfig({ n: 2n ** 60n }), { n: "1152921504606846976" });
});
