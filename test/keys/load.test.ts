/**
 * Rotations under load, with somebody else's verifier: replicas sign as fast as they can while hours
 * pass in seconds, and every token is verified by jose with the key set that another replica served up
 * to 75 minutes before. `rotation.test.ts` has the bad weather; this has the concurrency.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { compactVerify, createLocalJWKSet } from "jose";
import { signJws } from "../../src/crypto/sign-jws.ts";
import { answerKeySet } from "../../src/keys/jwks.ts";
import { createKeyManager, type KeyManager } from "../../src/keys/key-manager.ts";
import { PUBLICATION } from "../../src/keys/key-policy.ts";
import type { Clock, Timers } from "../../src/model/ports.ts";
import { systemTimers } from "../../src/platform/timers.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { createMemoryStore } from "../store/memory.ts";
import { HOUR, KeptLog, START, testSealer } from "./kit.ts";

/** A real second is two hours. */
const FACTOR = 7200;
const UNTIL = START + 11 * HOUR;
const OLD = PUBLICATION.cachedMs + PUBLICATION.staleMs;
const OPTIONS = { algorithm: "EdDSA", rotateMs: 3 * HOUR, lifetimeMs: 300_000 } as const;

const began = performance.now();
const clock: Clock = {
  now: () => Math.floor(START + clock.monotonic()),
  monotonic: () => (performance.now() - began) * FACTOR,
};
const timers: Timers = { after: (ms, run) => systemTimers.after(ms / FACTOR, run) };

type Verifier = ReturnType<typeof createLocalJWKSet>;

/** What a replica serves, as somebody fetched it at that time. */
interface Fetched {
  readonly atMs: number;
  readonly set: Verifier;
}

function fetchSet(keys: KeyManager): Fetched {
  const path = "/.well-known/sallyport/jwks.json";
  const answer = answerKeySet({ method: "GET", path }, keys.published());
  return { atMs: clock.now(), set: createLocalJWKSet(JSON.parse(answer?.body ?? "")) };
}

test("every token that is signed while keys rotate is verified with older key sets", async (t) => {
  const store = createMemoryStore(clock);
  const replicas = Array.from({ length: 3 }, () =>
    createKeyManager(OPTIONS, {
      store: store.open(),
      sealer: testSealer(),
      clock,
      timers,
      log: new KeptLog(),
      metrics: createMetrics(),
    }),
  );
  t.after(() => Promise.all(replicas.map((keys) => keys.close())));
  await Promise.all(replicas.map((keys) => keys.start()));

  /** Copies of key sets, each used until it is as old as it may be. */
  const copies = replicas.map((keys) => [fetchSet(keys)]);
  const kids = new Set<string>();
  let verified = 0;
  for (let round = 0; clock.now() < UNTIL; round++) {
    for (const [index, keys] of replicas.entries()) {
      const signer = keys.signer("tokens");
      kids.add(signer.kid);
      const token = signJws(signer, { typ: "x" }, { round });
      // After it, so that a pause of this process makes no copy older than it may be.
      const held = copies[(index + round) % copies.length] ?? [];
      while ((held[0]?.atMs ?? Infinity) < clock.now() - OLD) held.shift();
      await compactVerify(token, (held[0] ?? fetchSet(keys)).set);
      verified += 1;
      if (round % 20 === 0) copies[index]?.push(fetchSet(keys));
    }
    await turn();
  }
  assert.ok(kids.size >= 3, `${kids.size} keys`);
  assert.ok(verified > 100, `${verified} tokens`);
});
