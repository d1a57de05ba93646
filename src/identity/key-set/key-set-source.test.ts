import assert from "node:assert/strict";
import test from "node:test";
import { fakeFetcher } from "../../../test/ports.ts";
import { SallyportError } from "../../model/errors.ts";
import { ManualClock } from "../../platform/clock.ts";
import { createKeySetSource } from "./key-set-source.ts";

const ISSUER = "https://login.example.com";
const DISCOVERY = `${ISSUER}/.well-known/openid-configuration`;
const JWKS = `${ISSUER}/jwks`;
const keys = { keys: [] };

function source(issuer: string, jwks: string | undefined, documents: Record<string, unknown>) {
  const fetcher = fakeFetcher(documents);
  const clock = new ManualClock(0);
  const options = { issuer, jwks, insecureHttp: false, timeoutMs: 1000 };
  return { fetcher, clock, load: createKeySetSource(options, { fetcher, clock }) };
}

test("key set source fetches the URL that is named, and no discovery", async () => {
  const { load, fetcher } = source(ISSUER, JWKS, { [JWKS]: keys });
  fetcher.maxAgeSeconds = 60;
  assert.deepEqual(await load(), { document: keys, maxAgeSeconds: 60 });
  assert.deepEqual(fetcher.asked, [JWKS]);
});

test("key set source discovers the URL, and asks again after an hour or a failure", async () => {
  const discovery = { issuer: ISSUER, jwks_uri: JWKS };
  const { load, fetcher, clock } = source(ISSUER, undefined, {
    [DISCOVERY]: discovery,
    [JWKS]: keys,
  });
  await load();
  await load();
  assert.deepEqual(fetcher.asked, [DISCOVERY, JWKS, JWKS]);
  clock.advance(3_600_000);
  await load();
  assert.deepEqual(fetcher.asked.slice(3), [DISCOVERY, JWKS]);
  fetcher.documents.delete(JWKS);
  await assert.rejects(load());
  fetcher.documents.set(DISCOVERY, { issuer: ISSUER, jwks_uri: `${ISSUER}/moved` });
  fetcher.documents.set(`${ISSUER}/moved`, keys);
  await load();
  assert.deepEqual(fetcher.asked.slice(5), [JWKS, DISCOVERY, `${ISSUER}/moved`]);
});

test("key set source removes one terminating slash of the issuer for discovery", async () => {
  const issuer = "https://login.example.com/tenant/";
  const place = "https://login.example.com/tenant/.well-known/openid-configuration";
  const { load, fetcher } = source(issuer, undefined, {
    [place]: { issuer, jwks_uri: JWKS },
    [JWKS]: keys,
  });
  await load();
  assert.deepEqual(fetcher.asked, [place, JWKS]);
});

test("key set source refuses discovery documents that it should not follow", async (t) => {
  const cases: readonly [name: string, document: unknown][] = [
    ["another issuer", { issuer: "https://evil.example.com", jwks_uri: JWKS }],
    ["issuer with a slash more", { issuer: `${ISSUER}/`, jwks_uri: JWKS }],
    ["issuer in other case", { issuer: ISSUER.toUpperCase(), jwks_uri: JWKS }],
    ["no issuer", { jwks_uri: JWKS }],
    ["no jwks_uri", { issuer: ISSUER }],
    ["jwks_uri that is no text", { issuer: ISSUER, jwks_uri: [JWKS] }],
    ["plain http", { issuer: ISSUER, jwks_uri: "http://login.example.com/jwks" }],
    ["down to loopback", { issuer: ISSUER, jwks_uri: "http://127.0.0.1:9900/jwks" }],
    ["a file", { issuer: ISSUER, jwks_uri: "file:///etc/keys.json" }],
    ["credentials", { issuer: ISSUER, jwks_uri: "https://a:b@login.example.com/jwks" }],
    ["a list", []],
    ["null", null],
  ];
  for (const [name, document] of cases) {
    await t.test(name, async () => {
      const { load, fetcher } = source(ISSUER, undefined, { [DISCOVERY]: document, [JWKS]: keys });
      await assert.rejects(
        load(),
        (error) => error instanceof SallyportError && error.code === "fetch-failed",
      );
      assert.deepEqual(fetcher.asked, [DISCOVERY]);
    });
  }
});

test("key set source follows discovery over http within loopback", async () => {
  const issuer = "http://127.0.0.1:9000";
  const { load } = source(issuer, undefined, {
    [`${issuer}/.well-known/openid-configuration`]: { issuer, jwks_uri: `${issuer}/jwks` },
    [`${issuer}/jwks`]: keys,
  });
  assert.deepEqual((await load()).document, keys);
});
