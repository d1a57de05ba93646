import assert from "node:assert/strict";
import test from "node:test";
import { recordedMetrics } from "../../test/ports.ts";
import type { CredentialFacts } from "../model/facts.ts";
import { ANONYMOUS } from "../model/principal.ts";
import { ManualClock } from "../platform/clock.ts";
import { hashCredential } from "./bearer.ts";
import { createFactsCache, type FactsCacheOptions } from "./facts-cache.ts";

const NOW = 1_800_000_000;

function fixture(options: FactsCacheOptions = {}) {
  const clock = new ManualClock(NOW * 1000);
  const metrics = recordedMetrics();
  return { clock, metrics, cache: createFactsCache(options, { clock, metrics }) };
}

function facts(credentialHash: string, changes: Partial<CredentialFacts> = {}): CredentialFacts {
  return {
    principal: { ...ANONYMOUS, subject: credentialHash, roles: ["corp/a"] },
    authenticator: "corp",
    kind: "jwt",
    credentialHash,
    expiresAt: NOW + 300,
    notBefore: undefined,
    issuedAt: NOW,
    clockSkew: 30,
    audience: ["https://api.example.com"],
    acceptedAudience: [],
    scopes: ["read"],
    tokenId: credentialHash,
    clientId: undefined,
    acr: undefined,
    amr: [],
    authenticatedAt: undefined,
    confirmation: undefined,
    actor: undefined,
    device: undefined,
    valid: () => true,
    ...changes,
  };
}

test("facts cache gives facts to the configuration that verified them, and to no other", () => {
  const { cache, metrics } = fixture();
  const one = facts("h1");
  cache.put("config-a", one, 600);
  assert.equal(cache.get("config-a", "h1"), one);
  assert.equal(cache.get("config-b", "h1"), undefined);
  assert.equal(cache.get("config-a", "h2"), undefined);
  assert.equal(metrics.value("sallyport_facts_cache_lookups hit"), 1);
  assert.equal(metrics.value("sallyport_facts_cache_lookups miss"), 2);
});

test("facts cache gives nothing past expiry and skew, and forgets it", () => {
  const { cache, clock } = fixture();
  cache.put("c", facts("h1"), 600);
  clock.advance(329_999);
  assert.ok(cache.get("c", "h1"));
  clock.advance(1);
  assert.equal(cache.get("c", "h1"), undefined);
  assert.equal(cache.size, 0);
});

test("facts cache gives nothing once its key is not valid, and takes nothing that is not", () => {
  const { cache } = fixture();
  let valid = true;
  cache.put("c", facts("h1", { valid: () => valid }), 600);
  valid = false;
  assert.equal(cache.get("c", "h1"), undefined);
  valid = true;
  assert.equal(cache.get("c", "h1"), undefined, "it was forgotten");
  cache.put("c", facts("h2", { valid: () => false }), 600);
  cache.put("c", facts("h3", { expiresAt: NOW - 30 }), 600);
  assert.equal(cache.size, 0);
});

test("facts cache never holds more entries than its bound, and keeps what is in use", () => {
  const { cache } = fixture({ maxEntries: 1000 });
  cache.put("c", facts("hot"), 600);
  for (let index = 0; index < 20_000; index++) {
    cache.put("c", facts(`h${index}`), 600);
    assert.ok(cache.size <= 1000);
    if (index % 100 === 0) assert.ok(cache.get("c", "hot"), "in use");
  }
  assert.equal(cache.get("c", "h0"), undefined);
  assert.ok(cache.get("c", "h19999"));
});

test("facts cache never holds more bytes than its bound", () => {
  const { cache } = fixture({ maxBytes: 100_000 });
  const roles = Array.from({ length: 50 }, (_, index) => `corp/role-${index}-${"x".repeat(50)}`);
  for (let index = 0; index < 1000; index++) {
    const large = facts(`h${index}`, { principal: { ...ANONYMOUS, roles } });
    cache.put("c", large, 4000);
    assert.ok(cache.size <= 8, `${cache.size} entries of some 13 KB`);
  }
  cache.put("c", facts("huge", { scopes: ["x".repeat(60_000)] }), 600);
  assert.equal(cache.get("c", "huge"), undefined, "larger than a generation");
});

test("facts cache counts an entry that is put again once", () => {
  const { cache } = fixture({ maxEntries: 100, maxBytes: 40_000 });
  for (let index = 0; index < 1000; index++) cache.put("c", facts("same"), 600);
  cache.put("c", facts("other"), 600);
  assert.ok(cache.get("c", "same"));
  assert.equal(cache.size, 2);
});

test("createFactsCache() refuses bounds that bound nothing", () => {
  for (const options of [{ maxEntries: 0 }, { maxEntries: Number.NaN }, { maxBytes: -1 }]) {
    assert.throws(() => fixture(options), TypeError);
  }
});

test("facts cache stays small under three hundred thousand different tokens", () => {
  const { cache } = fixture();
  const before = heapBytes();
  for (let index = 0; index < 300_000; index++) {
    cache.put("config", facts(hashCredential(`token-${index}`)), 800);
  }
  const grown = heapBytes() - before;
  assert.ok(cache.size <= 10_000);
  assert.ok(cache.size >= 5000);
  assert.ok(grown < 100 * 1024 * 1024, `${Math.round(grown / 1024 / 1024)} MiB`);
});

function heapBytes(): number {
  // Both runtimes collect on this where they offer it; else the bound is loose enough.
  (globalThis as { gc?: () => void; Bun?: { gc: (sync: boolean) => void } }).Bun?.gc(true);
  return process.memoryUsage().heapUsed;
}
