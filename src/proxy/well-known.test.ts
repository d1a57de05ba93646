import assert from "node:assert/strict";
import { test } from "node:test";
import { generateSigningKey } from "../crypto/signing-key.ts";
import { Loopback } from "../http/loopback.fixture.ts";
import type { Exchange } from "../http/exchange.ts";
import type { KeyUse, PublishedKey } from "../model/signing.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createProxyHandler, type HandlerDeps, type ProxySnapshot } from "./handler.ts";
import { createWellKnown } from "./well-known.ts";

function published(use: KeyUse): PublishedKey {
  const { kid, algorithm, jwk } = generateSigningKey("EdDSA");
  return { kid, use, algorithm, jwk, activeMs: 0, retiredMs: 1, removedMs: 2 };
}

/** A proxy whose gate answers every request that reaches it with 404, and counts it. */
function ground(serving: boolean) {
  const keys = [published("tokens"), published("feed")];
  const metrics = createMetrics();
  const judged: string[] = [];
  const denial = { denied: "no-route", decisionId: "d", recorded: false };
  const handle = (exchange: Exchange): void => {
    const wellKnown = new Set(serving ? [exchange.connection.listener] : ["another"]);
    const deps = {
      gate: {
        decide: ({ head }: { readonly head: { readonly target: string } }) => {
          judged.push(head.target);
          return denial;
        },
      },
      wellKnown: createWellKnown({ keys: () => keys, metrics }),
      snapshot: () => ({ forwards: new Map(), wellKnown }) as unknown as ProxySnapshot,
    } as unknown as HandlerDeps;
    createProxyHandler(deps).request(exchange);
  };
  return { keys, metrics, judged, proxy: new Loopback({ handle }) };
}

const PATH = "/.well-known/sallyport/jwks.json";

async function ask(proxy: Loopback, head: string, end: string): Promise<string> {
  const caller = await proxy.caller();
  caller.send(`${head}\r\nHost: x\r\nConnection: close\r\n\r\n`);
  return await caller.until(end);
}

test("createWellKnown() shows the public keys of tokens to anybody, where a listener serves them", async () => {
  const on = ground(true);
  await using proxy = await on.proxy.start();
  const answer = await ask(proxy, `GET ${PATH}?x=1 HTTP/1.1`, "]}\n");
  assert.match(answer, /^HTTP\/1\.1 200 /);
  const shown = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
  assert.deepEqual(
    shown.keys.map(({ kid }: { readonly kid: string }) => kid),
    [on.keys[0]?.kid],
  );
  assert.doesNotMatch(answer, /"d":/);
  const length = /content-length: (\d+)/.exec(answer)?.[1];
  const head = await ask(proxy, `HEAD ${PATH} HTTP/1.1`, "\r\n\r\n");
  assert.match(head, new RegExp(`^HTTP/1\\.1 200 [^]*content-length: ${length}\r\n`));
  const etag = /etag: (\S+)/.exec(answer)?.[1];
  const again = await ask(proxy, `GET ${PATH} HTTP/1.1\r\nIf-None-Match: ${etag}`, "\r\n\r\n");
  assert.match(again, /^HTTP\/1\.1 304 /);
  const posted = await ask(proxy, `POST ${PATH} HTTP/1.1\r\nContent-Length: 0`, "\r\n\r\n");
  assert.match(posted, /^HTTP\/1\.1 405 [^]*allow: GET, HEAD\r\n/);
  assert.deepEqual(on.judged, [], "no decision is made about what is public");
  assert.match(
    on.metrics.render().body,
    /sallyport_well_known_requests_total\{document="tokens",status="200"\} 2/,
  );
});

test("createWellKnown() leaves every other path, and every other spelling, to the gate", async () => {
  const on = ground(true);
  await using proxy = await on.proxy.start();
  const targets = [
    "/",
    "/.well-known/openid-configuration",
    "/.well-known/sallyport/",
    "/.well-known/sallyport/feed.json",
    "/.well-known/%73allyport/jwks.json",
    "/.well-known/sallyport/../sallyport/jwks.json",
    "//.well-known/sallyport/jwks.json",
  ];
  for (const target of targets) {
    assert.match(await ask(proxy, `GET ${target} HTTP/1.1`, "\r\n\r\n"), /^HTTP\/1\.1 404 /);
  }
  assert.deepEqual(on.judged, targets);
});

test("createWellKnown() is not asked on a listener that does not serve it", async () => {
  const on = ground(false);
  await using proxy = await on.proxy.start();
  assert.match(await ask(proxy, `GET ${PATH} HTTP/1.1`, "\r\n\r\n"), /^HTTP\/1\.1 404 /);
  assert.deepEqual(on.judged, [PATH]);
});
