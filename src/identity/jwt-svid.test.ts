import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createRoot } from "../../test/certificates.ts";
import { recordedLog, recordedMetrics } from "../../test/ports.ts";
import { createJwtAuthority, spiffeBundle } from "../../test/spiffe.ts";
import { readJws } from "../crypto/jws.ts";
import { type CredentialFacts, isFailure, type Verified } from "../model/facts.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createFactsCache } from "./facts-cache.ts";
import { createBearerSet } from "./bearer.ts";
import { createJwtSvidAuthenticator } from "./jwt-svid.ts";
import { jwtSvidOptionsSchema } from "./jwt-svid-options.ts";

const DOMAIN = "prod.example";
const SUB = `spiffe://${DOMAIN}/payments/api`;
const AUDIENCE = "https://api.example";
const NOW = Date.now();
const seconds = Math.floor(NOW / 1000);

const root = createRoot("Root");
const authority = createJwtAuthority("jwt-1");
const stranger = createJwtAuthority("jwt-1");
const unlisted = createJwtAuthority("jwt-2");
/** In the bundle for another use: what signs something else must not sign identities. */
const others = createJwtAuthority("wit-1");
const plain = createJwtAuthority("plain-1");
const rsa = {
  ...generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" }),
  kid: "rsa-1",
  use: "jwt-svid",
};

function bundle(): object {
  const made = spiffeBundle([root], [authority]);
  const { use: _, ...withoutUse } = plain.jwk;
  return {
    ...made,
    keys: [...(made["keys"] as object[]), { ...others.jwk, use: "wit-svid" }, withoutUse, rsa],
  };
}

function ground(context: TestContext, options: Record<string, unknown> = {}, text = bundle()) {
  const clock = new ManualClock(NOW);
  const timers = new ManualTimers();
  const deps = {
    clock,
    timers,
    log: recordedLog(),
    metrics: recordedMetrics(),
    fetcher: { fetchJson: () => Promise.reject(new Error("nothing is fetched")) },
    readFile: (file: string) =>
      file === "prod.json" ? Buffer.from(JSON.stringify(text)) : readFileSync(file),
  };
  const parsed = jwtSvidOptionsSchema.parse({
    type: "jwt-svid",
    trustDomain: DOMAIN,
    bundle: "prod.json",
    audience: [AUDIENCE],
    ...options,
  });
  const svids = createJwtSvidAuthenticator({ ...parsed, name: "svids" }, deps);
  context.after(() => svids.close());
  return { svids, clock, timers, metrics: deps.metrics };
}

function verify({ svids }: ReturnType<typeof ground>, token: string): Verified {
  const jws = readJws(token);
  assert.ok(!("fault" in jws), JSON.stringify(jws));
  const result = svids.verify({ token, jws, credentialHash: "hash" });
  assert.ok(!(result instanceof Promise));
  return result;
}

function factsOf(found: Verified): CredentialFacts {
  assert.ok(!isFailure(found), JSON.stringify(found));
  return found;
}

const claims = { sub: SUB, aud: [AUDIENCE] };

/** Each breaks one rule of the JWT-SVID specification, or of what the operator wrote. */
const HOSTILE: readonly {
  readonly what: string;
  readonly token: () => string;
  readonly options?: Record<string, unknown>;
  readonly reason: string;
}[] = [
  {
    what: "a key of the same name that is not in the bundle",
    token: () => stranger.token(claims),
    reason: "invalid-signature",
  },
  {
    what: "a kid that is not in the bundle",
    token: () => unlisted.token(claims),
    reason: "unknown-key",
  },
  {
    what: "no kid",
    token: () => authority.token(claims, { kid: undefined }),
    reason: "unknown-key",
  },
  {
    what: "a key that the bundle has for another use",
    token: () => others.token(claims),
    reason: "unknown-key",
  },
  {
    what: "a key that the bundle has for no use",
    token: () => plain.token(claims),
    reason: "unknown-key",
  },
  {
    what: "an algorithm that does not fit its key",
    token: () => authority.token(claims, { kid: "rsa-1" }),
    reason: "algorithm-not-allowed",
  },
  {
    what: "alg none",
    token: () => authority.token(claims, { alg: "none" }),
    reason: "algorithm-not-allowed",
  },
  {
    what: "alg HS256",
    token: () => authority.token(claims, { alg: "HS256" }),
    reason: "algorithm-not-allowed",
  },
  {
    what: "an algorithm that the specification does not name",
    token: () => authority.token(claims, { alg: "EdDSA" }),
    reason: "algorithm-not-allowed",
  },
  {
    what: "an algorithm that is not configured",
    token: () => authority.token(claims),
    options: { algorithms: ["RS256"] },
    reason: "algorithm-not-allowed",
  },
  {
    what: "the type of an access token",
    token: () => authority.token(claims, { typ: "at+jwt" }),
    reason: "invalid-token-type",
  },
  {
    what: "no exp",
    token: () => authority.token({ ...claims, exp: undefined }),
    reason: "missing-claim",
  },
  {
    what: "an exp that is over",
    token: () => authority.token({ ...claims, exp: seconds - 31 }),
    reason: "token-expired",
  },
  {
    what: "an nbf that is to come",
    token: () => authority.token({ ...claims, nbf: seconds + 60 }),
    reason: "token-not-yet-valid",
  },
  {
    what: "an iat that is to come",
    token: () => authority.token({ ...claims, iat: seconds + 60 }),
    reason: "token-not-yet-valid",
  },
  {
    what: "more age than allowed",
    token: () => authority.token({ ...claims, iat: seconds - 200 }),
    options: { maxAge: "1m" },
    reason: "token-expired",
  },
  {
    what: "a sub of another trust domain",
    token: () => authority.token({ ...claims, sub: "spiffe://other.example/a" }),
    reason: "invalid-claim",
  },
  {
    what: "a sub that only begins like the trust domain",
    token: () => authority.token({ ...claims, sub: `spiffe://${DOMAIN}.evil.org/a` }),
    reason: "invalid-claim",
  },
  {
    what: "the trust domain itself as sub",
    token: () => authority.token({ ...claims, sub: `spiffe://${DOMAIN}` }),
    reason: "invalid-claim",
  },
  {
    what: "dot segments in sub",
    token: () => authority.token({ ...claims, sub: `spiffe://${DOMAIN}/a/../b` }),
    reason: "invalid-claim",
  },
  {
    what: "a sub that is no text",
    token: () => authority.token({ ...claims, sub: [SUB] }),
    reason: "invalid-claim",
  },
  {
    what: "a cnf that is none",
    token: () => authority.token({ ...claims, cnf: "x" }),
    reason: "invalid-claim",
  },
  {
    what: "an act that is none",
    token: () => authority.token({ ...claims, act: "x" }),
    reason: "invalid-claim",
  },
  {
    what: "an ID that fits no pattern",
    token: () => authority.token(claims),
    options: { match: [{ path: "/billing/*" }] },
    reason: "wrong-identity",
  },
];

for (const { what, token, options, reason } of HOSTILE) {
  test(`verify() refuses a JWT-SVID with ${what}`, (context) => {
    const made = ground(context, options);
    const found = verify(made, token());
    assert.ok(isFailure(found), JSON.stringify(found));
    assert.equal(found.failure, reason);
    assert.equal(found.authenticator, "svids");
    // No word of the token is for the operator's log.
    assert.ok(!found.detail.includes("payments"));
    assert.equal(made.metrics.value(`sallyport_token_verifications svids ${reason}`), 1);
  });
}

test("verify() says who a JWT-SVID is", (context) => {
  const made = ground(context, {
    match: [{ path: "/{team}/*", roles: ["Team"], attributes: { team: "{team}" } }],
    principal: { attributes: { team: { type: "string" } } },
  });
  for (const typ of ["JWT", "JOSE", undefined]) {
    const token = authority.token(
      { ...claims, iss: "https://spire.example", exp: seconds + 300 },
      { typ },
    );
    const facts = factsOf(verify(made, token));
    assert.equal(facts.principal.subject, SUB);
    assert.equal(facts.principal.kind, "workload");
    assert.deepEqual(facts.principal.roles, ["Team"]);
    assert.deepEqual({ ...facts.principal.attributes }, { team: "payments" });
    assert.deepEqual(facts.audience, [AUDIENCE]);
    assert.equal(facts.expiresAt, seconds + 300);
    assert.equal(facts.valid(), true);
  }
});

test("a JWT-SVID without aud, or for somebody else, fits no route", (context) => {
  const made = ground(context);
  assert.deepEqual(factsOf(verify(made, authority.token({ sub: SUB }))).audience, []);
  const other = authority.token({ sub: SUB, aud: "https://other.example" });
  assert.deepEqual(factsOf(verify(made, other)).audience, ["https://other.example"]);
});

test("a set of ways gives a token to the trust domain in its sub, and to no other", (context) => {
  const { svids, clock } = ground(context);
  const cache = createFactsCache({}, { clock, metrics: recordedMetrics() });
  const set = createBearerSet([svids], cache);
  const good = set.verify(authority.token(claims));
  assert.ok(!(good instanceof Promise) && !isFailure(good));
  for (const sub of ["spiffe://other.example/a", `spiffe://${DOMAIN}.evil.org/a`, "payments"]) {
    const found = set.verify(authority.token({ ...claims, sub }));
    assert.ok(!(found instanceof Promise) && isFailure(found));
    assert.equal(found.failure, sub === "payments" ? "missing-claim" : "unknown-issuer");
  }
});

test("what was verified counts no more once the authenticator is closed", (context) => {
  const made = ground(context);
  const facts = factsOf(verify(made, authority.token(claims)));
  made.svids.close();
  assert.equal(facts.valid(), false);
  const found = verify(made, authority.token(claims));
  assert.ok(isFailure(found));
  assert.equal(found.failure, "identity-unavailable");
  assert.equal(found.costly, false);
});

test("a bundle file is read again; PEM, which holds no keys, leaves what was read before in force", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-jwt-svid-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "prod.json");
  writeFileSync(file, root.pem);
  assert.throws(() => ground(context, { bundle: file }), /cannot be used: .*keys of JWT-SVIDs/);
  writeFileSync(file, JSON.stringify(bundle()));
  const made = ground(context, { bundle: file });
  const good = factsOf(verify(made, authority.token(claims)));
  const reread = async (text: string, done: () => boolean): Promise<void> => {
    writeFileSync(file, text);
    const ends = performance.now() + 20_000;
    while (!done() && performance.now() < ends) {
      made.timers.runAll();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    assert.ok(done());
  };
  await reread(root.pem, () => made.svids.keys()?.failures === 1);
  assert.equal(good.valid(), true);
  await reread('{"keys":[]}', () => !good.valid());
});
