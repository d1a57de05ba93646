/**
 * jose as the oracle: whatever token we take, jose takes too and reads the same claims, however the
 * token was bent. We may refuse more; the reasons for that are in the tables of bearer.test.ts.
 */
import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { importJWK, jwtVerify, type JWK } from "jose";
import { encode, headerOf, keySetOf, signToken, testKey } from "../../test/issuer.ts";
import { fakeFetcher, recordedLog, recordedMetrics } from "../../test/ports.ts";
import { isFailure } from "../model/facts.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createBearerSet } from "./bearer.ts";
import { createFactsCache } from "./facts-cache.ts";
import { jwtOptionsSchema } from "./jwt-options.ts";
import { createJwtAuthenticator } from "./jwt.ts";

const NOW = 1_800_000_000;
const ISSUER = "https://login.example.com";
const keys = [testKey("k1", "ES256"), testKey("k2", "EdDSA"), testKey("k3", "RS256")];

/** Most of the values are the right ones, so that combinations get through now and then. */
function mostly(right: unknown, ...wrong: readonly unknown[]): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 8, arbitrary: fc.constant(right) }, fc.constantFrom(...wrong));
}

const headers = fc.record({
  alg: mostly(undefined, "none", "HS256", "ES256", "RS256", "EdDSA", "es256", 7),
  kid: mostly(undefined, "k1", "k2", "k9", "", null),
  typ: mostly(undefined, "JWT", "jwt", "application/at+jwt", "dpop+jwt", 7),
  crit: mostly(undefined, ["exp"], []),
  b64: mostly(undefined, true, false),
  jwk: mostly(undefined, keys[0]?.jwk),
});

const claims = fc.record({
  iss: mostly(ISSUER, `${ISSUER}/`, [ISSUER], 7),
  sub: mostly("payments", "", 7, null),
  exp: mostly(NOW + 60, NOW - 60, NOW + 0.5, "1900000000", -1, null),
  nbf: mostly(undefined, NOW, NOW + 60, "0", 1e300),
  iat: mostly(NOW, NOW - 1e6, NOW + 60, "now"),
  aud: mostly("a", ["a", "b"], 7),
});

const bends = fc.oneof(
  { weight: 4, arbitrary: fc.constant((token: string) => token) },
  fc.tuple(fc.nat(), fc.constantFrom("A", "B", "-", "=", ".", " ", "é")).map(
    ([at, char]) =>
      (token: string) =>
        token.slice(0, at % token.length) + char + token.slice((at % token.length) + 1),
  ),
  fc.constantFrom(
    (token: string) => `${token}=`,
    (token: string) => `${token}.`,
    (token: string) => token.replace(/[^.]*$/, ""),
    (token: string) => token.toLowerCase(),
    (token: string) => `${encode({ alg: "none" })}${token.slice(token.indexOf("."))}`,
  ),
);

test("bearer set takes no token that jose refuses", async () => {
  const clock = new ManualClock(NOW * 1000);
  const metrics = recordedMetrics();
  const options = jwtOptionsSchema.parse({
    type: "jwt",
    issuer: ISSUER,
    jwks: `${ISSUER}/jwks`,
    clockSkew: "0s",
    principal: { kind: "workload" },
  });
  const corp = createJwtAuthenticator(
    { name: "corp", ...options },
    {
      clock,
      metrics,
      timers: new ManualTimers(),
      log: recordedLog(),
      fetcher: fakeFetcher({ [`${ISSUER}/jwks`]: keySetOf(...keys) }),
      readFile: () => assert.fail("no file is named"),
    },
  );
  await corp.start();
  const set = createBearerSet([corp], createFactsCache({}, { clock, metrics }));
  const theirKeys = new Map<string, Awaited<ReturnType<typeof importJWK>>>();
  for (const key of keys) {
    theirKeys.set(key.kid ?? "", await importJWK(key.jwk as unknown as JWK, key.algorithm));
  }
  let taken = 0;

  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...keys),
      headers,
      claims,
      bends,
      async (key, head, body, bend) => {
        const own = JSON.parse(JSON.stringify(head)) as object;
        const token = bend(signToken(key, { ...headerOf(key), ...own }, body));
        const ours = await set.verify(token);
        if (isFailure(ours)) return;
        taken += 1;
        const theirs = await jwtVerify(
          token,
          ({ kid, alg }) =>
            theirKeys.get(kid ?? keys.find((one) => one.algorithm === alg)?.kid ?? "") ??
            assert.fail("we took a key that is not there"),
          {
            currentDate: new Date(NOW * 1000),
            issuer: ISSUER,
            algorithms: ["ES256", "EdDSA", "RS256"],
          },
        );
        assert.equal(ours.principal.subject, theirs.payload.sub);
        assert.equal(ours.expiresAt, theirs.payload.exp);
      },
    ),
    { numRuns: 1500 },
  );
  assert.ok(taken > 50, `only ${taken} tokens got through: the comparison says little`);
});
