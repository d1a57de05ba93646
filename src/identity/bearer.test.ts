import assert from "node:assert/strict";
import test from "node:test";
import { fakeFetcher, recordedLog, recordedMetrics } from "../../test/ports.ts";
import { headerOf, keySetOf, signToken, testKey } from "../../test/issuer.ts";
import { isFailure } from "../model/facts.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createBearerSet } from "./bearer.ts";
import { checkFacts } from "./checks.ts";
import { createFactsCache } from "./facts-cache.ts";
import { jwtOptionsSchema } from "./jwt-options.ts";
import { createJwtAuthenticator } from "./jwt.ts";

const NOW = 1_800_000_000;
const ISSUER = "https://login.example.com";
const AUDIENCE = "https://api.example.com";
const key = testKey("k1", "RS256");

test("bearer set verifies a token and recalls its facts", async () => {
  const clock = new ManualClock(NOW * 1000);
  const metrics = recordedMetrics();
  const fetcher = fakeFetcher({ "https://login.example.com/jwks": keySetOf(key) });
  const options = jwtOptionsSchema.parse({
    type: "jwt",
    issuer: ISSUER,
    jwks: "https://login.example.com/jwks",
    audience: [AUDIENCE],
    principal: {
      kind: "workload",
      roles: { claim: "roles", allow: ["AdminService"] },
      groups: { claim: "groups" },
      attributes: { tenant: { claim: "tenant_id", type: "string" } },
    },
  });
  const log = recordedLog();
  const corp = createJwtAuthenticator(
    { name: "corp", ...options },
    {
      clock,
      metrics,
      fetcher,
      log,
      timers: new ManualTimers(),
      readFile: () => assert.fail("no file is named"),
    },
  );
  const set = createBearerSet([corp], createFactsCache({}, { clock, metrics }));
  const token = signToken(key, headerOf(key), {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: "payments",
    exp: NOW + 300,
    iat: NOW,
    scope: "a b",
    roles: ["AdminService", "Other"],
    groups: "staff",
    tenant_id: "t1",
  });
  const first = await set.verify(token);
  assert.ok(!isFailure(first), JSON.stringify(first));
  assert.deepEqual(first.principal.roles, ["AdminService", "corp/Other"]);
  assert.deepEqual(first.principal.groups, ["corp/staff"]);
  assert.equal(first.principal.attributes["tenant"], "t1");
  assert.deepEqual(first.scopes, ["a", "b"]);
  assert.equal(checkFacts(first, clock.now(), undefined), undefined);
  assert.equal(set.recall(token), first);
  assert.equal(set.verify(token), first);
  assert.equal(fetcher.asked.length, 1);
  corp.close();
  assert.equal(set.recall(token), undefined);
});
