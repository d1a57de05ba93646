import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "node:test";
import { corpora } from "../../test/corpora.ts";
import { encode, headerOf, hmacToken, keySetOf, signToken, testKey } from "../../test/issuer.ts";
import { fakeFetcher, recordedLog, recordedMetrics } from "../../test/ports.ts";
import { ConfigError } from "../model/errors.ts";
import { isFailure, type CredentialFacts, type CredentialFailure } from "../model/facts.ts";
import type { Reason } from "../model/reason.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createBearerSet, hashCredential } from "./bearer.ts";
import { checkFacts } from "./checks.ts";
import { createFactsCache } from "./facts-cache.ts";
import { jwtOptionsSchema } from "./jwt-options.ts";
import { createJwtAuthenticator } from "./jwt.ts";
import { createKeySetPool } from "./key-set/key-set-pool.ts";

const NOW = 1_800_000_000;
const CORP = "https://login.example.com";
const PARTNER = "https://partner.example.com";
const AUDIENCE = "https://api.example.com";
/** Stands in every claim that an attacker could fill; must never come out again. */
const CANARY = "CANARY-93b1";

const rsa = testKey("k1", "RS256");
const ec = testKey("e1", "ES256");
const ed = testKey("d1", "EdDSA");
const pss = testKey("p1", "PS256");
/** The partner calls its own key by the name of corp's. */
const partnerKey = testKey("k1", "RS256", "partner");

const principal = {
  kind: "workload",
  roles: { claim: "roles", allow: ["AdminService"] },
  groups: { claim: "groups" },
  attributes: { tenant: { claim: "tenant_id", type: "string" } },
};

/** Two issuers behind one set, everything that lies outside turned by the test. */
function fixture(changes: object = {}) {
  const clock = new ManualClock(NOW * 1000);
  const timers = new ManualTimers();
  const metrics = recordedMetrics();
  const log = recordedLog();
  const fetcher = fakeFetcher({
    [`${CORP}/jwks`]: keySetOf(rsa, ec, ed, pss),
    [`${PARTNER}/jwks`]: keySetOf(partnerKey),
  });
  const keySets = createKeySetPool();
  const readFile = (): Uint8Array => assert.fail("no file is named");
  const deps = { clock, timers, metrics, log, fetcher, readFile, keySets };
  const authenticator = (name: string, issuer: string, more: object = {}) => {
    const options = {
      type: "jwt",
      issuer,
      jwks: `${issuer}/jwks`,
      audience: [AUDIENCE],
      principal,
    };
    return createJwtAuthenticator(
      { name, ...jwtOptionsSchema.parse({ ...options, ...changes, ...more }) },
      deps,
    );
  };
  const corp = authenticator("corp", CORP);
  const partner = authenticator("partner", PARTNER);
  const cache = createFactsCache({}, { clock, metrics });
  const set = createBearerSet([corp, partner], cache);
  return { set, cache, corp, partner, authenticator, clock, timers, metrics, log, fetcher };
}

function claims(changes: object = {}): Record<string, unknown> {
  return {
    iss: CORP,
    aud: AUDIENCE,
    sub: "payments",
    exp: NOW + 300,
    iat: NOW,
    tenant_id: "t1",
    ...changes,
  };
}

function token(changes: object = {}, header: object = {}): string {
  return signToken(rsa, { ...headerOf(rsa), ...header }, claims(changes));
}

function factsOf(result: CredentialFacts | CredentialFailure): CredentialFacts {
  assert.ok(!isFailure(result), isFailure(result) ? `${result.failure}: ${result.detail}` : "");
  return result;
}

function failureOf(result: CredentialFacts | CredentialFailure): CredentialFailure {
  assert.ok(isFailure(result), "it should have been refused");
  return result;
}

test("bearer set verifies a token, and recalls its facts without another look", async () => {
  const { set, clock, fetcher, metrics } = fixture();
  const good = token({
    scope: "read write",
    scp: ["write", "admin"],
    roles: ["AdminService", "Other"],
    groups: "staff",
    jti: "j1",
    azp: "client-1",
    acr: "2",
    amr: ["pwd", "otp"],
    auth_time: NOW - 60,
  });
  const first = set.verify(good);
  assert.ok(first instanceof Promise, "keys have to be fetched");
  const facts = factsOf(await first);
  assert.equal(facts.authenticator, "corp");
  assert.equal(facts.kind, "jwt");
  assert.equal(facts.credentialHash, hashCredential(good));
  assert.deepEqual(facts.principal.roles, ["AdminService", "corp/Other"]);
  assert.deepEqual(facts.principal.groups, ["corp/staff"]);
  assert.equal(facts.principal.attributes["tenant"], "t1");
  assert.deepEqual(facts.scopes, ["read", "write", "admin"]);
  assert.deepEqual([facts.tokenId, facts.clientId, facts.acr], ["j1", "client-1", "2"]);
  assert.deepEqual(facts.amr, ["pwd", "otp"]);
  assert.deepEqual(
    [facts.expiresAt, facts.issuedAt, facts.authenticatedAt],
    [NOW + 300, NOW, NOW - 60],
  );
  assert.equal(facts.clockSkew, 30);
  assert.equal(facts.confirmation, undefined);
  assert.equal(checkFacts(facts, clock.now(), undefined), undefined);
  assert.equal(set.recall(good), facts);
  assert.equal(set.verify(good), facts);
  assert.equal(fetcher.asked.length, 1);
  assert.equal(metrics.value("sallyport_token_verifications corp verified"), 1);
});

test("bearer set verifies at once when keys are at hand, with every kind of key", async () => {
  const { set, corp, authenticator, cache } = fixture({
    algorithms: ["RS256", "PS256", "ES256", "Ed25519"],
  });
  await corp.start();
  for (const key of [rsa, pss, ec, ed]) {
    const result = set.verify(signToken(key, headerOf(key), claims()));
    assert.ok(!(result instanceof Promise), key.algorithm);
    factsOf(result);
  }
  const strict = createBearerSet([authenticator("strict", CORP, { algorithms: ["PS256"] })], cache);
  for (const key of [rsa, ec, ed]) {
    const failure = failureOf(await strict.verify(signToken(key, headerOf(key), claims())));
    assert.equal(failure.failure, "algorithm-not-allowed");
  }
});

/** How each is refused, and whether that took a signature check. */
const HOSTILE: readonly [name: string, token: () => string, reason: Reason, costly?: boolean][] = [
  ["no token at all", () => CANARY, "malformed-credential"],
  ["empty", () => "", "malformed-credential"],
  ["huge", () => `${token()}${"A".repeat(20_000)}`, "malformed-credential"],
  ["changed byte in the header", () => changed(token(), 0), "malformed-credential"],
  ["changed byte in the payload", () => changedClaims(token()), "invalid-signature", true],
  ["changed byte in the signature", () => changed(token(), 2), "invalid-signature", true],
  ["no signature", () => token().replace(/[^.]*$/, ""), "invalid-signature", true],
  [
    "another token's signature",
    () => `${body(token())}.${token({ sub: "x" }).split(".")[2]}`,
    "invalid-signature",
    true,
  ],
  ["alg none", () => unsigned({ alg: "none" }), "algorithm-not-allowed"],
  ["alg None", () => unsigned({ alg: "None" }), "algorithm-not-allowed"],
  ["alg empty", () => unsigned({ alg: "" }), "algorithm-not-allowed"],
  ["alg __proto__", () => unsigned({ alg: "__proto__" }), "algorithm-not-allowed"],
  ["HS256 with the public key as PEM", () => confused(pemOf()), "algorithm-not-allowed"],
  [
    "HS256 with the public key as JWK",
    () => confused(JSON.stringify(rsa.jwk)),
    "algorithm-not-allowed",
  ],
  ["HS256 with the modulus", () => confused(String(rsa.jwk["n"])), "algorithm-not-allowed"],
  ["HS256 with nothing", () => confused(""), "algorithm-not-allowed"],
  [
    "RS256 that claims to be ES256",
    () => token({}, { alg: "ES256" }),
    "algorithm-not-allowed",
    true,
  ],
  [
    "an alg that is not listed",
    () => signToken(testKey("k1", "RS512", "k1"), { alg: "RS512", kid: "k1" }, claims()),
    "algorithm-not-allowed",
  ],
  [
    "key of another issuer under the same kid",
    () => signToken(partnerKey, headerOf(partnerKey), claims()),
    "invalid-signature",
    true,
  ],
  ["own key, foreign issuer", () => token({ iss: PARTNER }), "invalid-signature", true],
  ["unknown kid", () => token({}, { kid: CANARY }), "unknown-key", true],
  ["kid as a path", () => token({}, { kid: "../../dev/null" }), "unknown-key", true],
  ["kid __proto__", () => token({}, { kid: "__proto__" }), "unknown-key", true],
  ["empty kid", () => token({}, { kid: "" }), "unknown-key", true],
  [
    "own key in jwk",
    () => signToken(attacker, { ...headerOf(attacker), jwk: attacker.jwk }, claims()),
    "unknown-key",
    true,
  ],
  [
    "own key in jwk under a known kid",
    () => signToken(attacker, { ...headerOf(attacker), kid: "k1", jwk: attacker.jwk }, claims()),
    "invalid-signature",
    true,
  ],
  [
    "own key set in jku",
    () =>
      signToken(
        attacker,
        { ...headerOf(attacker), jku: "https://evil.example.com/jwks" },
        claims(),
      ),
    "unknown-key",
    true,
  ],
  [
    "own certificate in x5c and x5u",
    () =>
      signToken(
        attacker,
        { ...headerOf(attacker), x5c: ["AA=="], x5u: "https://evil.example.com/c" },
        claims(),
      ),
    "unknown-key",
    true,
  ],
  ["crit", () => token({}, { crit: ["exp"], exp: NOW }), "invalid-token-type"],
  ["unencoded payload", () => token({}, { b64: false }), "invalid-token-type"],
  ["our own assertion", () => token({}, { typ: "sallyport-assertion+jwt" }), "invalid-token-type"],
  ["DPoP proof", () => token({}, { typ: "dpop+jwt" }), "invalid-token-type"],
  ["logout token", () => token({}, { typ: "logout+jwt" }), "invalid-token-type"],
  ["typ absent spelt out", () => token({}, { typ: "absent" }), "invalid-token-type"],
  [
    "logout token without a type of its own",
    () => token({ events: { "http://schemas.openid.net/event/backchannel-logout": {} } }),
    "invalid-token-type",
  ],
  ["ID token by at_hash", () => token({ at_hash: CANARY }), "invalid-token-type"],
  ["ID token by c_hash", () => token({ c_hash: CANARY }), "invalid-token-type"],
  ["ID token by Keycloak's typ", () => token({ typ: "ID" }), "invalid-token-type"],
  [
    "repeated alg",
    () => raw('{"alg":"RS256","alg":"none","kid":"k1"}', JSON.stringify(claims())),
    "malformed-credential",
  ],
  ["repeated sub", () => rawClaims('"sub":"payments","sub":"admin"'), "malformed-credential"],
  [
    "repeated sub in another spelling",
    () => rawClaims(String.raw`"sub":"a","s\u0075b":"admin"`),
    "malformed-credential",
  ],
  [
    "nested deeply",
    () => rawClaims(`"sub":"a","x":${"[".repeat(100)}${"]".repeat(100)}`),
    "malformed-credential",
  ],
  ["claims that are a list", () => raw(headerText(), "[]"), "malformed-credential"],
  ["no iss", () => token({ iss: undefined }), "missing-claim"],
  ["iss as a list", () => token({ iss: [CORP] }), "invalid-claim"],
  ["iss null", () => token({ iss: null }), "invalid-claim"],
  ["iss with a slash", () => token({ iss: `${CORP}/` }), "unknown-issuer"],
  ["iss in capitals", () => token({ iss: CORP.toUpperCase() }), "unknown-issuer"],
  ["iss __proto__", () => token({ iss: "__proto__" }), "unknown-issuer"],
  ["foreign iss", () => token({ iss: `https://${CANARY}.example.com` }), "unknown-issuer"],
  ["no exp", () => token({ exp: undefined }), "missing-claim"],
  ["exp null", () => token({ exp: null }), "invalid-claim"],
  ["exp as a text", () => token({ exp: String(NOW + 300) }), "invalid-claim"],
  ["exp NaN", () => rawClaims('"sub":"a","exp":NaN'), "malformed-credential"],
  ["exp infinite", () => rawClaims('"sub":"a","exp":1e999'), "malformed-credential"],
  ["exp beyond 2^53", () => rawClaims('"sub":"a","exp":99999999999999999999'), "invalid-claim"],
  ["exp beyond all dates", () => token({ exp: 1e15 }), "invalid-claim"],
  ["exp negative", () => token({ exp: -1 }), "invalid-claim"],
  ["exp in microseconds", () => token({ exp: (NOW - 9) * 1e6 }), "invalid-claim"],
  ["exp true", () => token({ exp: true }), "invalid-claim"],
  ["expired", () => token({ exp: NOW - 31 }), "token-expired"],
  ["expired by a fraction", () => token({ exp: NOW - 30.5 }), "token-expired"],
  ["nbf in the future", () => token({ nbf: NOW + 31 }), "token-not-yet-valid"],
  ["nbf as a text", () => token({ nbf: "0" }), "invalid-claim"],
  ["iat in the future", () => token({ iat: NOW + 3600 }), "token-not-yet-valid"],
  ["iat as an object", () => token({ iat: {} }), "invalid-claim"],
  ["aud as an object", () => token({ aud: { a: AUDIENCE } }), "invalid-claim"],
  ["aud with a number", () => token({ aud: [AUDIENCE, 7] }), "invalid-claim"],
  ["aud null", () => token({ aud: null }), "invalid-claim"],
  ["scope as a number", () => token({ scope: 7 }), "invalid-claim"],
  ["scp as an object", () => token({ scp: {} }), "invalid-claim"],
  ["jti as a number", () => token({ jti: 7 }), "invalid-claim"],
  ["amr as a number", () => token({ amr: 7 }), "invalid-claim"],
  ["no sub", () => token({ sub: undefined }), "missing-claim", true],
  ["sub as a number", () => token({ sub: 7 }), "invalid-claim", true],
  ["sub with a line end", () => token({ sub: `a\n${CANARY}` }), "invalid-claim", true],
  ["roles as an object", () => token({ roles: { AdminService: true } }), "invalid-claim", true],
  ["roles with a number", () => token({ roles: ["AdminService", 1] }), "invalid-claim", true],
  ["groups as true", () => token({ groups: true }), "invalid-claim", true],
  ["attribute of another type", () => token({ tenant_id: 7 }), "invalid-claim", true],
  ["attribute absent", () => token({ tenant_id: undefined }), "missing-claim", true],
  [
    "attribute only in __proto__",
    () => rawClaims('"sub":"a","__proto__":{"tenant_id":"t1"}'),
    "missing-claim",
    true,
  ],
];

const attacker = testKey("evil", "RS256");

for (const [name, make, reason, costly = false] of HOSTILE) {
  test(`bearer set refuses a token with ${reason}: ${name}`, async () => {
    const { set, corp, partner, fetcher, log, metrics } = fixture();
    await Promise.all([corp.start(), partner.start()]);
    const hostile = make();
    const failure = failureOf(await set.verify(hostile));
    assert.equal(failure.failure, reason, failure.detail);
    assert.equal(failure.costly, costly);
    assert.equal(failure.credentialHash, hashCredential(hostile));
    assert.equal(set.recall(hostile), undefined, "a failure is not kept");
    assert.equal(metrics.value("sallyport_facts_cache_entries"), 0);
    assert.deepEqual(fetcher.asked, [`${CORP}/jwks`, `${PARTNER}/jwks`], "nothing is followed");
    const told = [failure.detail, ...log.lines].join("\n");
    assert.ok(!told.includes(CANARY), told);
    for (const part of hostile.split(".")) {
      assert.ok(part.length < 8 || !told.includes(part), "no part of the token is told");
    }
  });
}

test("bearer set takes forms that are unusual and right", async (t) => {
  const cases: readonly [name: string, token: () => string][] = [
    ["typ with application/ and in capitals", () => token({}, { typ: "application/AT+JWT" })],
    ["typ JWT", () => token({}, { typ: "JWT" })],
    ["no typ", () => token({}, { typ: undefined })],
    ["exp with a fraction", () => token({ exp: NOW + 0.5 })],
    ["no iat", () => token({ iat: undefined })],
    ["no aud: the audience is judged per route", () => token({ aud: undefined })],
    ["empty scope", () => token({ scope: "" })],
    [
      "x5t and other members that mean nothing to us",
      () => token({}, { x5t: "AA", jku: "https://evil.example.com" }),
    ],
    ["unknown claims", () => token({ __proto__: { a: 1 }, constructor: 1, nested: { deep: [1] } })],
  ];
  for (const [name, make] of cases) {
    await t.test(name, async () => {
      const { set, corp, fetcher } = fixture();
      await corp.start();
      factsOf(await set.verify(make()));
      assert.deepEqual(fetcher.asked, [`${CORP}/jwks`]);
    });
  }
});

test("bearer set without kid tries the keys that fit", async () => {
  const { set, corp } = fixture();
  await corp.start();
  factsOf(await set.verify(token({}, { kid: undefined })));
  const failure = failureOf(await set.verify(signToken(attacker, { alg: "RS256" }, claims())));
  assert.equal(failure.failure, "invalid-signature");
});

test("bearer set says what a token is bound to, and who acts with it", async () => {
  const { set } = fixture();
  const jkt = hashCredential("a key");
  const held = async (cnf: unknown) => factsOf(await set.verify(token({ cnf }))).confirmation;
  const neither = { keyThumbprint: undefined, certificateThumbprint: undefined, other: false };
  assert.deepEqual(await held({ jkt }), { ...neither, keyThumbprint: jkt });
  assert.deepEqual(await held({ "x5t#S256": jkt }), { ...neither, certificateThumbprint: jkt });
  assert.deepEqual(await held({ jwk: {} }), { ...neither, other: true });
  assert.deepEqual(await held({}), { ...neither, other: true });
  const act = { sub: "agent", client_id: "c1", act: { sub: "scheduler" } };
  assert.deepEqual(factsOf(await set.verify(token({ act }))).actor, {
    authenticator: "corp",
    subject: "agent",
    issuer: undefined,
    clientId: "c1",
    behind: ["scheduler"],
  });
});

for (const [name, claim] of [
  ["cnf null", { cnf: null }],
  ["cnf as a text", { cnf: "x" }],
  ["jkt that is no SHA-256", { cnf: { jkt: "x" } }],
  ["jkt as a number", { cnf: { jkt: 7 } }],
  ["x5t#S256 that is no SHA-256", { cnf: { "x5t#S256": "x" } }],
  ["act as a text", { act: "agent" }],
  ["act without sub", { act: { client_id: "c1" } }],
  ["act with a number for iss", { act: { sub: "a", iss: 7 } }],
  ["act within act without sub", { act: { sub: "a", act: {} } }],
  [
    "too many actors",
    {
      act: ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].reduce<object>(
        (act, sub) => ({ sub, act }),
        { sub: "z" },
      ),
    },
  ],
] as const) {
  test(`bearer set refuses a token with invalid-claim: ${name}`, async () => {
    const { set } = fixture();
    assert.equal(failureOf(await set.verify(token(claim))).failure, "invalid-claim");
  });
}

test("bearer set takes ID tokens only where that is said", async () => {
  const { set } = fixture({ insecureIdTokens: true });
  factsOf(await set.verify(token({ at_hash: "x" })));
  const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
  assert.equal(failureOf(await set.verify(token({ events }))).failure, "invalid-token-type");
  factsOf(await set.verify(token({ events: { "https://corp.example/event": {} } })));
  factsOf(await set.verify(token({ events: ["created"] })));
});

test("createJwtAuthenticator() warns of every insecure option", () => {
  const { log } = fixture({ insecureHttp: true, insecureIdTokens: true });
  const warnings = log.lines.filter((line) => line.includes("an insecure option is on"));
  assert.deepEqual(
    warnings.map((line) => /"option":"(\w+)"/.exec(line)?.[1]),
    ["insecureHttp", "insecureIdTokens", "insecureHttp", "insecureIdTokens"],
    "for each of the two authenticators",
  );
  assert.deepEqual(fixture().log.lines, []);
});

test("bearer set bounds a token's age by maxAge, whatever its exp", async () => {
  const { set, clock } = fixture({ maxAge: "1m" });
  const good = token({ exp: NOW + 86_400 });
  const facts = factsOf(await set.verify(good));
  assert.equal(facts.expiresAt, NOW + 60);
  assert.equal(failureOf(await set.verify(token({ iat: undefined }))).failure, "missing-claim");
  clock.advance(90_000);
  assert.equal(checkFacts(facts, clock.now(), undefined), "token-expired");
  assert.equal(failureOf(await set.verify(good)).failure, "token-expired");
});

test("bearer set never gives out facts past exp and skew", async () => {
  const { set, clock } = fixture();
  const good = token();
  factsOf(await set.verify(good));
  clock.advance(329_999);
  assert.ok(set.recall(good));
  clock.advance(1);
  assert.equal(set.recall(good), undefined);
  assert.equal(failureOf(await set.verify(good)).failure, "token-expired");
});

test("bearer set takes a token signed with a rotated key, and drops the old key's", async () => {
  const { set, clock, fetcher, timers } = fixture();
  const before = token();
  factsOf(await set.verify(before));
  const next = testKey("k2", "RS256");
  fetcher.documents.set(`${CORP}/jwks`, keySetOf(rsa, next));
  const after = signToken(next, headerOf(next), claims());
  assert.equal(failureOf(await set.verify(after)).failure, "unknown-key", "within the cooldown");
  clock.advance(10_000);
  factsOf(await set.verify(after));
  assert.ok(set.recall(before));
  fetcher.documents.set(`${CORP}/jwks`, keySetOf(next));
  timers.runAll();
  await turns();
  assert.equal(set.recall(before), undefined, "its key has left");
  assert.ok(set.recall(after));
  assert.equal(failureOf(await set.verify(before)).failure, "unknown-key");
  assert.equal(fetcher.asked.length, 3);
});

test("bearer set takes a token whose key changed under the same kid", async () => {
  const { set, corp, clock, fetcher } = fixture();
  await corp.start();
  const changedKey = testKey("k1", "RS256", "changed");
  fetcher.documents.set(`${CORP}/jwks`, keySetOf(changedKey));
  const good = signToken(changedKey, headerOf(changedKey), claims());
  assert.equal(failureOf(await set.verify(good)).failure, "invalid-signature");
  clock.advance(10_000);
  factsOf(await set.verify(good));
});

test("bearer set makes a bounded number of fetches under a flood of forged tokens", async () => {
  const { set, corp, clock, fetcher } = fixture();
  await corp.start();
  const forged = Array.from({ length: 200 }, (_, index) =>
    token({ sub: `s${index}` }, { kid: `x${index}` }),
  );
  for (let round = 0; round < 3; round++) {
    clock.advance(10_000);
    const results = await Promise.all(forged.map(async (one) => set.verify(one)));
    for (const result of results) assert.equal(failureOf(result).failure, "unknown-key");
  }
  assert.equal(fetcher.asked.length, 4);
});

test("bearer set answers identity-unavailable, not the caller's fault, while keys were never fetched", async () => {
  const { set, fetcher, log } = fixture();
  fetcher.documents.clear();
  const failure = failureOf(await set.verify(token()));
  assert.equal(failure.failure, "identity-unavailable");
  assert.equal(failure.costly, false);
  assert.match(log.lines.join(), /could not be fetched/);
});

test("bearer set drops facts when the last good keys pass their bound", async () => {
  const { set, clock, fetcher } = fixture({ keys: { keep: "15m" } });
  const good = token({ exp: NOW + 86_400 });
  const facts = factsOf(await set.verify(good));
  fetcher.documents.clear();
  clock.advance(900_000);
  assert.ok(set.recall(good));
  clock.advance(1);
  assert.equal(facts.valid(), false);
  assert.equal(checkFacts(facts, clock.now(), undefined), "unknown-key");
  assert.equal(failureOf(await set.verify(good)).failure, "identity-unavailable");
});

test("bearer set shares no facts with a set that would verify otherwise", async () => {
  const { set, cache, authenticator } = fixture();
  const good = token({ roles: ["AdminService"] });
  assert.deepEqual(factsOf(await set.verify(good)).principal.roles, ["AdminService"]);
  const other = createBearerSet(
    [authenticator("corp", CORP, { principal: { ...principal, roles: { claim: "roles" } } })],
    cache,
  );
  assert.equal(other.recall(good), undefined);
  assert.deepEqual(factsOf(await other.verify(good)).principal.roles, ["corp/AdminService"]);
  assert.deepEqual(set.recall(good)?.principal.roles, ["AdminService"]);
  const partnerOnly = createBearerSet([authenticator("partner", PARTNER)], cache);
  assert.equal(partnerOnly.recall(good), undefined);
  assert.equal(failureOf(await partnerOnly.verify(good)).failure, "unknown-issuer");
});

test("bearer set keeps keys and facts when an authenticator is built again with the same options", async () => {
  const { set, corp, cache, authenticator, fetcher } = fixture();
  const good = token();
  const facts = factsOf(await set.verify(good));
  const rebuilt = authenticator("corp", CORP);
  await rebuilt.start();
  corp.close();
  fetcher.documents.clear();
  const next = createBearerSet([rebuilt], cache);
  assert.equal(next.recall(good), facts);
  factsOf(await next.verify(token({ sub: "another" })));
  assert.equal(fetcher.asked.length, 1);
  rebuilt.close();
  assert.equal(next.recall(good), undefined, "the last user closed the keys");
});

test("createBearerSet() refuses two authenticators with the same issuer", () => {
  const { corp, authenticator, cache } = fixture();
  assert.throws(
    () => createBearerSet([corp, authenticator("other", CORP)], cache),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /"corp" and "other" have the same issuer/);
      return true;
    },
  );
});

test("createJwtAuthenticator() reads a key file, and names it when it cannot be used", async (t) => {
  const { clock, timers, metrics, log, fetcher, cache } = fixture();
  const fromFile = (content: string | undefined) => {
    const options = { type: "jwt", issuer: CORP, jwks: "file:keys/jwks.json", principal };
    return createJwtAuthenticator(
      { name: "corp", ...jwtOptionsSchema.parse(options) },
      {
        clock,
        timers,
        metrics,
        log,
        fetcher,
        readFile: (path) => {
          assert.equal(path, "keys/jwks.json");
          if (content === undefined) throw new Error("no such file");
          return Buffer.from(content);
        },
      },
    );
  };
  const set = createBearerSet([fromFile(JSON.stringify(keySetOf(rsa)))], cache);
  const result = set.verify(token());
  assert.ok(!(result instanceof Promise));
  factsOf(result);
  const privateJwk = JSON.stringify({ keys: [rsa.privateKey.export({ format: "jwk" })] });
  for (const [name, content] of [
    ["absent", undefined],
    ["not JSON", "-----BEGIN"],
    ["no keys", '{"keys":[]}'],
    ["a private key", privateJwk],
    ["huge", " ".repeat(600_000)],
  ] as const) {
    await t.test(name, () => {
      assert.throws(
        () => fromFile(content),
        (error) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.problems[0]?.file, "keys/jwks.json");
          return true;
        },
      );
    });
  }
});

const istio = corpora("jose/istio-jwt.json");

test("bearer set judges Istio's tokens by issuer", { skip: istio === undefined }, async (t) => {
  const { jwks, tokens } = JSON.parse(readFileSync(istio ?? "", "utf8")) as {
    readonly jwks: object;
    readonly tokens: readonly {
      readonly name: string;
      readonly token: string;
      readonly claims?: { readonly iss: string };
    }[];
  };
  const issuer = "test-issuer-1@istio.io";
  const jwksUrl = "https://istio.example.com/jwks";
  const { authenticator, cache, fetcher } = fixture();
  fetcher.documents.set(jwksUrl, jwks);
  const set = createBearerSet(
    [authenticator("istio", issuer, { jwks: jwksUrl, principal: { kind: "workload" } })],
    cache,
  );
  for (const one of tokens) {
    await t.test(one.name, async () => {
      const result = await set.verify(one.token);
      const expected =
        one.name === "TokenInvalid"
          ? "malformed-credential"
          : one.name === "TokenExpired"
            ? "token-expired"
            : one.claims?.iss === issuer
              ? undefined
              : "unknown-issuer";
      assert.equal(isFailure(result) ? result.failure : undefined, expected);
    });
  }
});

function body(signed: string): string {
  return signed.slice(0, signed.lastIndexOf("."));
}

/** One character of a part changed to another of the alphabet. */
function changed(signed: string, part: 0 | 2): string {
  const parts = signed.split(".");
  const text = parts[part] ?? "";
  parts[part] = text.startsWith("A") ? `B${text.slice(1)}` : `A${text.slice(1)}`;
  return parts.join(".");
}

/** The subject changed and nothing else, so that the payload stays valid JSON. */
function changedClaims(signed: string): string {
  const [header = "", payload = "", signature = ""] = signed.split(".");
  const text = Buffer.from(payload, "base64url").toString().replace("payments", "paymentz");
  return [header, encode(text), signature].join(".");
}

function unsigned(header: object): string {
  return `${encode({ ...header, kid: "k1" })}.${encode(claims())}.`;
}

function confused(secret: string): string {
  return hmacToken(secret, { alg: "HS256", kid: "k1", typ: "JWT" }, claims());
}

function pemOf(): string {
  return createPublicKey(rsa.privateKey).export({ format: "pem", type: "spki" });
}

function headerText(): string {
  return JSON.stringify(headerOf(rsa));
}

/** A well signed token of exactly this JSON. */
function raw(header: string, payload: string): string {
  return signToken(rsa, header, payload);
}

function rawClaims(members: string): string {
  const exp = members.includes('"exp"') ? "" : `,"exp":${NOW + 300}`;
  return raw(headerText(), `{"iss":"${CORP}",${members}${exp}}`);
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
