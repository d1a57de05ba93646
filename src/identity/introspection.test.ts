import assert from "node:assert/strict";
import test from "node:test";
import { headerOf, signToken, testKey } from "../../test/issuer.ts";
import { fakeJsonClient, recordedLog, recordedMetrics } from "../../test/ports.ts";
import { SallyportError } from "../model/errors.ts";
import { isFailure, type CredentialFacts, type CredentialFailure } from "../model/facts.ts";
import type { Reason } from "../model/reason.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createAskedPool } from "./asked/asked-pool.ts";
import { createBearerSet } from "./bearer.ts";
import { checkFacts } from "./checks.ts";
import { createFactsCache } from "./facts-cache.ts";
import { introspectionOptionsSchema } from "./introspection-options.ts";
import { createIntrospectionAuthenticator } from "./introspection.ts";

const NOW = 1_800_000_000;
const ISSUER = "https://login.example.com";
const ENDPOINT = `${ISSUER}/introspect`;
const AUDIENCE = "https://api.example.com";
/** The token itself, and every value that an answer could fill; must never come out in a detail. */
const CANARY = "CANARY-51c7";

const thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

const GOOD = {
  active: true,
  iss: ISSUER,
  sub: "ann",
  aud: AUDIENCE,
  exp: NOW + 300,
  iat: NOW - 10,
  scope: "read write",
  client_id: "app",
  token_type: "Bearer",
};

function fixture(changes: object = {}) {
  const clock = new ManualClock(NOW * 1000);
  const timers = new ManualTimers();
  const metrics = recordedMetrics();
  const log = recordedLog();
  const client = fakeJsonClient(GOOD);
  const readFile = (): Uint8Array => assert.fail("no file is named");
  const asked = createAskedPool();
  const deps = { clock, timers, metrics, log, readFile, asked, jsonClient: () => client };
  const options = {
    type: "introspection",
    endpoint: ENDPOINT,
    client: { id: "sallyport", secret: "s3cret" },
    issuer: ISSUER,
    audience: [AUDIENCE],
    principal: { kind: "user", roles: { claim: "roles" } },
    ...changes,
  };
  const create = () =>
    createIntrospectionAuthenticator(
      { ...introspectionOptionsSchema.parse(options), name: "legacy" },
      deps,
    );
  const authenticator = create();
  const cache = createFactsCache({}, { clock, metrics });
  const bearer = createBearerSet([authenticator], cache);
  return { clock, timers, metrics, log, client, authenticator, bearer, cache, create };
}

type Fixture = ReturnType<typeof fixture>;

async function good({ bearer }: Fixture, token = "opaque-1"): Promise<CredentialFacts> {
  const result = await bearer.verify(token);
  assert.ok(!isFailure(result), JSON.stringify(result));
  return result;
}

async function bad({ bearer }: Fixture, token = "opaque-1"): Promise<CredentialFailure> {
  const result = await bearer.verify(token);
  assert.ok(isFailure(result), "it should have been refused");
  return result;
}

function down(): never {
  throw new SallyportError("fetch-failed", `${ENDPOINT}: answered 500`);
}

test("verify() gives the facts that the provider tells", async () => {
  const f = fixture();
  f.client.answer = { ...GOOD, roles: ["Reader"], jti: "t-1", cnf: { jkt: thumbprint } };
  const facts = await good(f);
  assert.deepEqual(f.log.lines, []);
  const { valid, principal, confirmation, ...plain } = facts;
  assert.equal(valid(), true);
  assert.equal(principal.kind, "user");
  assert.equal(principal.subject, "ann");
  assert.deepEqual(principal.roles, ["legacy/Reader"]);
  assert.equal(confirmation?.keyThumbprint, thumbprint);
  assert.deepEqual(plain, {
    authenticator: "legacy",
    kind: "introspection",
    credentialHash: plain.credentialHash,
    expiresAt: NOW + 300,
    notBefore: undefined,
    issuedAt: NOW - 10,
    clockSkew: 30,
    audience: [AUDIENCE],
    acceptedAudience: [AUDIENCE],
    scopes: ["read", "write"],
    tokenId: "t-1",
    clientId: "app",
    acr: undefined,
    amr: [],
    authenticatedAt: undefined,
    actor: undefined,
    device: undefined,
  });
});

test("verify() asks as RFC 7662 section 2.1 says", async () => {
  const f = fixture();
  await good(f);
  assert.deepEqual(f.client.posted, [
    {
      url: ENDPOINT,
      message: {
        form: { token: "opaque-1", token_type_hint: "access_token" },
        headers: { authorization: `Basic ${Buffer.from("sallyport:s3cret").toString("base64")}` },
      },
    },
  ]);
});

/** Each fails for one thing. `costly`: the provider was asked. */
const HOSTILE: readonly [what: string, answer: unknown, reason: Reason, options?: object][] = [
  ["one that is not active", { active: false }, "inactive-token"],
  ["one that is not active, whatever else is said", { ...GOOD, active: false }, "inactive-token"],
  ["one of another issuer", { ...GOOD, iss: "https://evil.example" }, "unknown-issuer"],
  ["one of nearly the issuer", { ...GOOD, iss: `${ISSUER}/` }, "unknown-issuer"],
  ["one without an issuer", { ...GOOD, iss: undefined }, "missing-claim"],
  ["one whose issuer is a list", { ...GOOD, iss: [ISSUER] }, "unknown-issuer"],
  ["a refresh token", { ...GOOD, token_type: "refresh_token" }, "invalid-token-type"],
  ["a type that is no text", { ...GOOD, token_type: ["Bearer"] }, "invalid-token-type"],
  ["a refresh token by its use", { ...GOOD, token_use: "refresh_token" }, "invalid-token-type"],
  ["an ID token by its use", { ...GOOD, token_use: "id" }, "invalid-token-type"],
  ["a refresh token as Keycloak says it", { ...GOOD, typ: "Refresh" }, "invalid-token-type"],
  ["an offline token as Keycloak says it", { ...GOOD, typ: "Offline" }, "invalid-token-type"],
  ["an ID token as Keycloak says it", { ...GOOD, typ: "ID" }, "invalid-token-type"],
  ["one that has expired", { ...GOOD, exp: NOW - 31 }, "token-expired"],
  ["one that is not valid yet", { ...GOOD, nbf: NOW + 31 }, "token-not-yet-valid"],
  ["one from the future", { ...GOOD, iat: NOW + 31 }, "token-not-yet-valid"],
  ["an expiry that is no number", { ...GOOD, exp: `${NOW + 300}` }, "invalid-claim"],
  ["an expiry beyond all time", { ...GOOD, exp: 1e300 }, "invalid-claim"],
  ["an audience that is no text", { ...GOOD, aud: [1] }, "invalid-claim"],
  ["a scope that is no text", { ...GOOD, scope: { read: true } }, "invalid-claim"],
  ["one without a subject", { ...GOOD, sub: undefined }, "missing-claim"],
  ["a subject with a control character", { ...GOOD, sub: "ann\u0000" }, "invalid-claim"],
  ["roles that are no names", { ...GOOD, roles: [1] }, "invalid-claim"],
  ["a confirmation that is no object", { ...GOOD, cnf: thumbprint }, "invalid-claim"],
  ["a thumbprint that is none", { ...GOOD, cnf: { jkt: "x" } }, "invalid-claim"],
  ["DPoP without a key", { ...GOOD, token_type: "DPoP" }, "invalid-claim"],
  [
    "DPoP with a certificate only",
    { ...GOOD, token_type: "dpop", cnf: { "x5t#S256": thumbprint } },
    "invalid-claim",
  ],
  ["an actor that is none", { ...GOOD, act: "agent" }, "invalid-claim"],
  [
    "a device that is none",
    { ...GOOD, dev: 7 },
    "invalid-claim",
    { principal: { kind: "user", device: { claim: "dev" } } },
  ],
];

for (const [what, answer, reason, options] of HOSTILE) {
  test(`verify() refuses ${what}: ${reason}`, async () => {
    const f = fixture(options);
    f.client.answer = answer;
    const failure = await bad(f, CANARY);
    assert.equal(failure.failure, reason);
    assert.equal(failure.costly, true);
    assert.equal(failure.authenticator, "legacy");
    assert.equal(f.cache.size, 0);
    const told = JSON.stringify(failure) + f.log.lines.join("\n");
    assert.ok(!told.includes(CANARY) && !told.includes("evil") && !told.includes("s3cret"));
    // Only what the provider called inactive is remembered.
    await bad(f, CANARY);
    assert.equal(f.client.posted.length, reason === "inactive-token" ? 1 : 2);
  });
}

/** No answer in the sense of RFC 7662 vouches for anybody, and none is remembered. */
const NO_ANSWERS: readonly [what: string, answer: unknown][] = [
  ["active as a text", { ...GOOD, active: "true" }],
  ["active as a number", { ...GOOD, active: 1 }],
  ["no active", { ...GOOD, active: undefined }],
  ["active as null", { ...GOOD, active: null }],
  ["a list", [GOOD]],
  ["a text", "active"],
  ["null", null],
  ["nothing at all", down],
];

for (const [what, answer] of NO_ANSWERS) {
  test(`verify() takes ${what} for no answer, charges nobody and asks again`, async () => {
    const f = fixture();
    f.client.answer = answer;
    const failure = await bad(f);
    assert.equal(failure.failure, "identity-unavailable");
    assert.equal(failure.costly, false);
    assert.equal(f.metrics.value("sallyport_provider_questions legacy failed"), 1);
    f.client.answer = GOOD;
    await good(f);
    assert.equal(f.client.posted.length, 2);
    assert.equal(f.log.lines.length, 2, f.log.lines.join("\n"));
  });
}

test("verify() takes the types that access tokens have", async () => {
  const types = [
    { token_type: undefined },
    { token_type: "bearer" },
    { token_type: "N_A" },
    { token_type: "access_token" },
    { token_use: "access_token" },
    { typ: "Bearer" },
    { token_type: "DPoP", cnf: { jkt: thumbprint } },
  ];
  for (const type of types) {
    const f = fixture();
    f.client.answer = { ...GOOD, ...type };
    await good(f);
  }
});

test("verify() takes any issuer of its provider where none is configured", async () => {
  const f = fixture({ issuer: undefined });
  f.client.answer = { ...GOOD, iss: undefined };
  await good(f);
});

test("verify() lets an answer without exp end by being asked again only", async () => {
  const f = fixture();
  f.client.answer = { ...GOOD, exp: undefined };
  const facts = await good(f);
  assert.equal(checkFacts(facts, NOW * 1000 + 1e9, undefined), undefined);
  assert.ok(!Number.isNaN(new Date(facts.expiresAt * 1000).getTime()));
  f.timers.runAll();
  assert.equal(facts.valid(), false);
});

test("verify() checks what a route asks on every request, never once for all", async () => {
  const f = fixture();
  const facts = await good(f);
  const at = NOW * 1000;
  assert.equal(checkFacts(facts, at, undefined), undefined);
  assert.equal(checkFacts(facts, at, ["https://other.example"]), "wrong-audience");
  assert.equal(checkFacts(facts, at + 330_000, undefined), "token-expired");
  assert.equal(f.client.posted.length, 1);
});

test("verify() refuses what is meant for nobody, unless insecureAnyAudience says otherwise", async () => {
  for (const insecureAnyAudience of [false, true]) {
    const f = fixture({ insecureAnyAudience });
    f.client.answer = { ...GOOD, aud: undefined };
    const expected = insecureAnyAudience ? undefined : "wrong-audience";
    assert.equal(checkFacts(await good(f), NOW * 1000, undefined), expected);
    f.client.answer = { ...GOOD, aud: "https://other.example" };
    assert.equal(checkFacts(await good(f, "second"), NOW * 1000, undefined), "wrong-audience");
    assert.equal(
      f.log.lines.some((line) => line.includes("insecure")),
      insecureAnyAudience,
    );
  }
});

const rsa = testKey("k1", "RS256");

test("verify() asks about signed tokens of its issuer, and shows the provider no other's", async () => {
  const f = fixture();
  await good(f, signToken(rsa, headerOf(rsa), { iss: ISSUER, exp: NOW + 10 }));
  await good(f, signToken(rsa, headerOf(rsa), { sub: "no issuer" }));
  assert.equal(f.client.posted.length, 2);
  const others = signToken(rsa, headerOf(rsa), { iss: "https://other.example", exp: NOW + 10 });
  assert.equal((await bad(f, others)).failure, "unknown-issuer");
  assert.equal(f.client.posted.length, 2);
});

test("verify() asks nobody about a signed token that says itself that it is over", async () => {
  const f = fixture();
  const token = signToken(rsa, headerOf(rsa), { iss: ISSUER, exp: NOW - 30 });
  const failure = await bad(f, token);
  assert.equal(failure.failure, "token-expired");
  assert.equal(failure.costly, false);
  assert.equal(f.client.posted.length, 0);
});

test("verify() asks once for many requests with one new token, and one of them pays", async () => {
  const f = fixture();
  const { promise, resolve } = Promise.withResolvers<unknown>();
  f.client.answer = () => promise;
  const many = Array.from({ length: 1000 }, () => Promise.resolve(f.bearer.verify("opaque-1")));
  resolve({ active: false });
  const results = (await Promise.all(many)) as CredentialFailure[];
  assert.equal(f.client.posted.length, 1);
  assert.equal(results.filter(({ costly }) => costly).length, 1);
  assert.ok(results.every(({ failure }) => failure === "inactive-token"));
});

test("verify() asks for each token by itself", async () => {
  const f = fixture();
  await Promise.all([good(f, "a"), good(f, "b")]);
  assert.equal(f.client.posted.length, 2);
});

test("an answer counts for cache.max, then the provider is asked again", async () => {
  const f = fixture({ cache: { max: "20s" } });
  const facts = await good(f);
  assert.equal(f.bearer.recall("opaque-1"), facts);
  assert.deepEqual(f.timers.delays, [20_000]);
  f.clock.advance(20_000);
  f.timers.runAll();
  assert.equal(facts.valid(), false);
  assert.equal(f.bearer.recall("opaque-1"), undefined);
  f.client.answer = { active: false };
  assert.equal((await bad(f)).failure, "inactive-token");
  assert.equal(f.client.posted.length, 2);
});

test("an answer does not count for much longer where its timer is late", async () => {
  const f = fixture({ cache: { max: "20s" } });
  const facts = await good(f);
  f.clock.advance(21_000);
  assert.equal(facts.valid(), true);
  f.clock.advance(1);
  assert.equal(facts.valid(), false);
});

test("cache.max 0s: an answer counts for the requests that waited for it", async () => {
  const f = fixture({ cache: { max: "0s" } });
  const facts = await good(f);
  assert.equal(facts.valid(), true);
  f.timers.runAll();
  assert.equal(facts.valid(), false);
  await good(f);
  assert.equal(f.client.posted.length, 2);
});

test("inactive is remembered for cache.inactive, at no cost, and then asked anew", async () => {
  const f = fixture({ cache: { inactive: "5s" } });
  f.client.answer = { active: false };
  assert.equal((await bad(f)).costly, true);
  f.clock.advance(4999);
  assert.equal((await bad(f)).costly, false);
  assert.equal(f.client.posted.length, 1);
  f.clock.advance(1);
  f.client.answer = GOOD;
  await good(f);
  assert.equal(f.client.posted.length, 2);
});

test("down: refuse: nothing counts once the last answer counts no more", async () => {
  const f = fixture();
  const facts = await good(f);
  f.client.answer = down;
  assert.equal(facts.valid(), true);
  f.timers.runAll();
  const failure = await bad(f);
  assert.equal(failure.failure, "identity-unavailable");
  assert.equal(f.metrics.value("sallyport_provider_stale_facts legacy"), 0);
});

test("down: serveFor: the last answer serves so long after it was given, new tokens do not", async () => {
  const f = fixture({ cache: { max: "20s" }, down: { serveFor: "10m" } });
  await good(f);
  f.client.answer = down;
  f.clock.advance(20_000);
  f.timers.runAll();
  const stale = await good(f);
  assert.equal(stale.principal.subject, "ann");
  assert.deepEqual(f.timers.delays, [1000], "it is asked again after a second");
  assert.equal((await bad(f, "new")).failure, "identity-unavailable");
  // Its own expiry ends it all the same.
  assert.equal(checkFacts(stale, (NOW + 331) * 1000, undefined), "token-expired");
  f.clock.advance(579_999);
  f.timers.runAll();
  await good(f);
  assert.deepEqual(f.timers.delays, [1], "never beyond the bound");
  f.clock.advance(1);
  f.timers.runAll();
  assert.equal((await bad(f)).failure, "identity-unavailable");
  assert.equal(f.metrics.value("sallyport_provider_stale_facts legacy"), 2);
});

test("down: serveFor: nobody waits for a provider that is known to be down, and its word ends it", async () => {
  const f = fixture({ cache: { max: "20s" }, down: { serveFor: "10m" } });
  await good(f);
  f.client.answer = down;
  f.timers.runAll();
  await good(f);
  f.timers.runAll();
  const hanging = Promise.withResolvers<unknown>();
  f.client.answer = () => hanging.promise;
  const first = f.bearer.verify("opaque-1");
  assert.ok(!(first instanceof Promise) && !isFailure(first), "at once");
  f.timers.runAll();
  assert.ok(!(f.bearer.verify("opaque-1") instanceof Promise));
  assert.equal(f.client.posted.length, 3, "and one question is out");
  const serving = f.bearer.recall("opaque-1");
  hanging.resolve({ active: false });
  await new Promise(setImmediate);
  assert.equal(serving?.valid(), false);
  assert.equal((await bad(f)).failure, "inactive-token");
});

test("close() ends what was told, unless another configuration with the same options goes on", async () => {
  const f = fixture();
  const facts = await good(f);
  const next = f.create();
  f.authenticator.close();
  f.authenticator.close();
  assert.equal(facts.valid(), true);
  next.close();
  assert.equal(facts.valid(), false);
  const failure = await bad(f);
  assert.equal(failure.failure, "identity-unavailable");
  assert.equal(f.client.posted.length, 1);
});

test("close() while the provider is asked: its answer counts for nothing", async () => {
  const f = fixture();
  const { promise, resolve } = Promise.withResolvers<unknown>();
  f.client.answer = () => promise;
  const asking = f.bearer.verify("opaque-1");
  f.authenticator.close();
  resolve(GOOD);
  assert.equal(((await asking) as CredentialFailure).failure, "identity-unavailable");
});

test("a bounded number of questions is out at once; the rest waits, and some are refused", async () => {
  const f = fixture();
  const release = Promise.withResolvers<unknown>();
  f.client.answer = () => release.promise;
  const results = Array.from({ length: 128 + 1024 + 1 }, (_, index) =>
    Promise.resolve(f.bearer.verify(`token-${index}`)),
  );
  assert.equal(f.client.posted.length, 128);
  const last = (await results.at(-1)) as CredentialFailure;
  assert.equal(last.failure, "identity-unavailable");
  f.timers.runAll();
  const waited = (await results.at(-2)) as CredentialFailure;
  assert.equal(waited.failure, "identity-unavailable", "it waited for its turn in vain");
  release.resolve(GOOD);
  assert.ok(!isFailure(await (results[0] as Promise<CredentialFacts>)));
  await good(f, "another");
});

test("a question goes out when another has ended", async () => {
  const f = fixture();
  const release = Promise.withResolvers<unknown>();
  f.client.answer = () => release.promise;
  const results = Array.from({ length: 129 }, (_, index) =>
    Promise.resolve(f.bearer.verify(`token-${index}`)),
  );
  release.resolve(GOOD);
  const settled = await Promise.all(results);
  assert.ok(settled.every((result) => !isFailure(result)));
  assert.equal(f.client.posted.length, 129);
});

test("what is known is told at once, whichever cache of facts has lost it", async () => {
  const f = fixture();
  const facts = await good(f);
  const jws = undefined;
  const { credentialHash } = facts;
  assert.equal(f.authenticator.verify({ token: "opaque-1", jws, credentialHash }), facts);
  assert.equal(f.client.posted.length, 1);
});

test("close() while the provider is asked: that it fails is no news any more", async () => {
  const f = fixture();
  const { promise, reject } = Promise.withResolvers<unknown>();
  f.client.answer = () => promise;
  const asking = f.bearer.verify("opaque-1");
  f.authenticator.close();
  reject(new SallyportError("fetch-failed", "too late"));
  assert.equal(((await asking) as CredentialFailure).failure, "identity-unavailable");
  assert.deepEqual(f.log.lines, []);
  assert.equal(f.metrics.value("sallyport_provider_questions legacy failed"), 0);
});

test("a provider that is down is said once in ten seconds, and when it is back", async () => {
  const f = fixture();
  f.client.answer = down;
  for (const elapsed of [0, 9999, 1]) {
    f.clock.advance(elapsed);
    await bad(f);
  }
  f.client.answer = GOOD;
  await good(f);
  f.client.answer = down;
  await bad(f, "another");
  const said = f.log.lines.map((line) => line.split(" ", 1)[0]);
  assert.deepEqual(said, ["warn", "warn", "info", "warn"]);
});

test("a bounded number of answers is kept; the oldest goes first", async () => {
  const f = fixture();
  const facts = await good(f, "first");
  for (let index = 1; index < 10_000; index++) await good(f, `token-${index}`);
  assert.equal(facts.valid(), true);
  await good(f, "one more");
  assert.equal(facts.valid(), false);
  assert.equal(f.timers.delays.length, 10_000, "and its timer with it");
});

test("a bounded number of inactive tokens is remembered; the oldest goes first", async () => {
  const f = fixture();
  f.client.answer = { active: false };
  for (let index = 0; index < 10_000; index++) await bad(f, `token-${index}`);
  await bad(f, "token-0");
  assert.equal(f.client.posted.length, 10_000);
  await bad(f, "one more");
  await bad(f, "token-1");
  assert.equal(f.client.posted.length, 10_001);
  await bad(f, "token-0");
  assert.equal(f.client.posted.length, 10_002);
});
