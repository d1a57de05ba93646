/** The lengths of a key's life: what may be written is what the schedule can keep. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { authoritySchema } from "../../src/authority/authority-options.ts";
import {
  checkKeyOptions,
  JWKS_MAX_AGE_SECONDS,
  KEY_LIMITS,
  keyPolicy,
  PUBLICATION,
  PUBLISH_AHEAD_MS,
} from "../../src/keys/key-policy.ts";
import { ConfigError } from "../../src/model/errors.ts";
import { KEY_USES } from "../../src/model/signing.ts";

const OPTIONS = { algorithm: "EdDSA", rotateMs: 86_400_000, lifetimeMs: 300_000 } as const;
const { minRotateMs, maxRotateMs, minLifetimeMs, maxLifetimeMs } = KEY_LIMITS;

function written(given: object): boolean {
  const keeper = {
    issuer: "https://sallyport.example",
    store: "sqlite:state/store.db",
    keyEncryptionKey: { file: "kek" },
  };
  return authoritySchema.safeParse({ ...keeper, ...given }).success;
}

test("checkKeyOptions() takes what a configuration may say, and no more", () => {
  for (const [rotateMs, rotate, right] of [
    [minRotateMs, "3h", true],
    [maxRotateMs, "365d", true],
    [minRotateMs - 1000, "10799s", false],
    [maxRotateMs + 86_400_000, "366d", false],
    [Number.NaN, "", false],
  ] as const) {
    const check = (): void => checkKeyOptions({ ...OPTIONS, rotateMs });
    if (right) check();
    else assert.throws(check, ConfigError);
    assert.equal(written({ rotate }), right, rotate);
  }
  for (const [lifetimeMs, lifetime, right] of [
    [minLifetimeMs, "1s", true],
    [maxLifetimeMs, "24h", true],
    [minLifetimeMs - 1, "999ms", false],
    [maxLifetimeMs + 60_000, "1441m", false],
  ] as const) {
    const check = (): void => checkKeyOptions({ ...OPTIONS, lifetimeMs });
    if (right) check();
    else assert.throws(check, ConfigError);
    assert.equal(written({ lifetime, rotate: "48h" }), right, lifetime);
  }
});

test("keys are published for longer than any key set may be old", () => {
  const stalest = ["1h", "3601s"].map((maxStaleness) => written({ maxStaleness }));
  assert.deepEqual(stalest, [true, false]);
  assert.equal(PUBLICATION.staleMs, 3_600_000);
  assert.ok(JWKS_MAX_AGE_SECONDS * 1000 <= PUBLICATION.cachedMs);
  assert.ok(PUBLISH_AHEAD_MS > PUBLICATION.cachedMs + PUBLICATION.staleMs);
});

test("keyPolicy() leaves time to make a key in, whatever is written", () => {
  for (const use of KEY_USES) {
    for (const rotateMs of [minRotateMs, 86_400_000, maxRotateMs]) {
      for (const lifetimeMs of [minLifetimeMs, maxLifetimeMs]) {
        const policy = keyPolicy(use, { ...OPTIONS, rotateMs, lifetimeMs });
        assert.ok(policy.makeMs >= policy.aheadMs + 300_000);
        assert.ok(policy.rotateMs >= policy.makeMs + 300_000);
        assert.ok(policy.graceMs >= 3_600_000);
        // What is published at once is a few keys, and not hundreds.
        const life = policy.makeMs + policy.rotateMs + policy.graceMs + policy.lifetimeMs;
        assert.ok(life / policy.rotateMs < 20, use);
      }
    }
  }
  const lifetimes = KEY_USES.map((use) => keyPolicy(use, OPTIONS).lifetimeMs / 60_000);
  assert.deepEqual(lifetimes, [5, 1, 1440, 576_000, 5]);
});
