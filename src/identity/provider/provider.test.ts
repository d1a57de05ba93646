import assert from "node:assert/strict";
import { hash, generateKeyPairSync } from "node:crypto";
import { test, type TestContext } from "node:test";
import { encode, hmacToken, signToken, testKey } from "../../../test/issuer.ts";
import { recordedLog, recordedMetrics } from "../../../test/ports.ts";
import {
  type Claims,
  ROGUE,
  type RogueProvider,
  type Roguery,
  startRogueProvider,
} from "../../../test/rogue-provider.ts";
import type { Reason } from "../../model/reason.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";
import { ManualClock } from "../../platform/clock.ts";
import { createDocumentFetcher } from "../../platform/document-fetcher.ts";
import { sendOutgoing } from "../../platform/outgoing-http.ts";
import { ManualTimers } from "../../platform/timers.ts";
import { createKeySetSource } from "../key-set/key-set-source.ts";
import { createRemoteKeySet } from "../key-set/key-set.ts";
import { createProvider, type LoginDemands, type Provider } from "./provider.ts";
import { readClientKey } from "./client-key.ts";
import type { ProviderOptions } from "./provider-options.ts";

const REDIRECT = "https://app.example.com/.sallyport/callback/people";
const NO_DEMANDS: LoginDemands = { acrValues: [], maxAgeSeconds: undefined };

interface Ground {
  readonly rogue: RogueProvider;
  readonly provider: Provider;
  readonly clock: ManualClock;
  readonly log: ReturnType<typeof recordedLog>;
  /** Another provider client of the same provider. */
  readonly another: (options: Partial<ProviderOptions>) => Provider;
}

async function ground(t: TestContext, given: Partial<ProviderOptions> = {}): Promise<Ground> {
  const clock = new ManualClock(1_790_000_000_000);
  const rogue = await startRogueProvider({ now: () => clock.now() / 1000 });
  const timers = new ManualTimers();
  const log = recordedLog();
  const shared = sharedMemory(clock);
  const fetcher = createDocumentFetcher();
  const another = (options: Partial<ProviderOptions>): Provider => {
    const keys = createRemoteKeySet(
      createKeySetSource(
        { issuer: rogue.issuer, jwks: undefined, insecureHttp: false, timeoutMs: 2000 },
        { fetcher, clock },
      ),
      {
        authenticator: "people",
        minRefreshMs: 60_000,
        maxRefreshMs: 900_000,
        cooldownMs: 10_000,
        keepMs: 43_200_000,
      },
      { clock, timers, log, metrics: recordedMetrics() },
    );
    const provider = createProvider(
      {
        name: "people",
        issuer: rogue.issuer,
        clientId: ROGUE.clientId,
        authentication: { method: "client_secret", secret: ROGUE.clientSecret },
        scopes: ["openid", "email"],
        trustedAudiences: [],
        algorithms: ["RS256", "ES256", "EdDSA"],
        pushedRequests: "auto",
        userinfo: false,
        clockSkewSeconds: 30,
        acrValues: [],
        timeoutMs: 2000,
        insecureHttp: false,
        ...options,
      },
      { clock, log, fetcher, send: sendOutgoing, shared, keys },
    );
    t.after(() => provider.close());
    return provider;
  };
  t.after(() => rogue.close());
  return { rogue, clock, log, provider: another(given), another };
}

/** Remembers claims for as long as it is told to. */
function sharedMemory(clock: ManualClock): SharedMemory {
  const until = new Map<string, number>();
  return {
    since: 0,
    agree: (_space, _key, value: string) => value,
    claim(space, key, ttlMs) {
      const name = `${space} ${key}`;
      if ((until.get(name) ?? 0) > clock.now()) return false;
      until.set(name, clock.now() + ttlMs);
      return true;
    },
    get: () => undefined,
    put: () => undefined,
    remove: () => undefined,
  };
}

const SECRETS = {
  state: "state-".padEnd(43, "s"),
  nonce: "nonce-".padEnd(43, "n"),
  codeVerifier: "verifier-".padEnd(43, "v"),
};

async function login({ rogue, provider }: Ground, demands: LoginDemands = NO_DEMANDS) {
  const url = await provider.authorizationUrl({ ...SECRETS, ...demands, redirectUri: REDIRECT });
  if (typeof url !== "string") return url;
  return comeBack(provider, await rogue.authorize(url), demands);
}

function comeBack(provider: Provider, callback: string, demands: LoginDemands = NO_DEMANDS) {
  const query = new URL(callback).search.slice(1);
  return provider.redeem({ ...SECRETS, ...demands, redirectUri: REDIRECT, query });
}

function reasonOf(outcome: object): Reason | "tokens" {
  return "fault" in outcome ? (outcome.fault as Reason) : "tokens";
}

test("redeem() gives the claims of an honest login, and sends the secret only to the token endpoint", async (t) => {
  const place = await ground(t);
  const tokens = await login(place);
  assert.ok(!("fault" in tokens), JSON.stringify(tokens));
  assert.equal(tokens.claims?.["sub"], "ada");
  assert.equal(tokens.claims?.["sid"], "sid-ada");
  assert.equal(tokens.expiresAt, place.clock.now() / 1000 + 300);
  assert.match(tokens.refreshToken ?? "", /^rt-/);
  assert.deepEqual(
    place.rogue.requests.map(({ path }) => path),
    ["/token"],
  );
  const [{ authorization = "", form } = { form: new URLSearchParams() }] = place.rogue.requests;
  const basic = Buffer.from(authorization.replace(/^Basic /, ""), "base64").toString();
  // RFC 6749 section 2.3.1: both are form-encoded first.
  assert.equal(decodeURIComponent(basic), `${ROGUE.clientId}:${ROGUE.clientSecret}`);
  assert.equal(form.get("code_verifier"), SECRETS.codeVerifier);
  assert.equal(form.get("redirect_uri"), REDIRECT);
});

test("authorizationUrl() names what makes an answer ours: state, nonce, S256, demands", async (t) => {
  const { provider, rogue } = await ground(t);
  const url = await provider.authorizationUrl({
    ...SECRETS,
    redirectUri: REDIRECT,
    acrValues: ["gold", "silver"],
    maxAgeSeconds: 300,
  });
  assert.ok(typeof url === "string");
  const { origin, pathname, searchParams } = new URL(url);
  assert.equal(`${origin}${pathname}`, `${rogue.issuer}/authorize`);
  assert.deepEqual(Object.fromEntries(searchParams), {
    redirect_uri: REDIRECT,
    scope: "openid email",
    state: SECRETS.state,
    nonce: SECRETS.nonce,
    code_challenge: hash("sha256", SECRETS.codeVerifier, "base64url"),
    code_challenge_method: "S256",
    response_mode: "query",
    acr_values: "gold silver",
    max_age: "300",
    client_id: ROGUE.clientId,
    response_type: "code",
  });
});

test("authorizationUrl() asks for a context as essential where the provider knows how", async (t) => {
  const { provider, rogue } = await ground(t);
  rogue.roguery.document = (honest) => ({ ...honest, claims_parameter_supported: true });
  const asked = { ...SECRETS, redirectUri: REDIRECT, maxAgeSeconds: undefined };
  const gold = await provider.authorizationUrl({ ...asked, acrValues: ["gold"] });
  assert.ok(typeof gold === "string");
  assert.equal(
    new URL(gold).searchParams.get("claims"),
    '{"id_token":{"acr":{"essential":true,"values":["gold"]}}}',
  );
  assert.equal(new URL(gold).searchParams.get("acr_values"), null);
  const any = await provider.authorizationUrl({ ...asked, acrValues: [] });
  assert.ok(typeof any === "string");
  assert.equal(new URL(any).searchParams.get("claims"), null);
});

const stranger = testKey("stranger", "ES256");

/** What a provider, or whoever stands in its place, may do wrong; and what each is refused for. */
const ROGUERIES: readonly (readonly [string, (rogue: RogueProvider) => Roguery, Reason])[] = [
  [
    "iss of the answer is another's",
    () => ({ callback: (q) => q.set("iss", "https://evil.example") }),
    "wrong-issuer",
  ],
  [
    "iss of the answer is left out though announced",
    () => ({ callback: (q) => q.delete("iss") }),
    "wrong-issuer",
  ],
  [
    "the answer has two issuers",
    () => ({ callback: (q) => q.append("iss", "https://evil.example") }),
    "invalid-provider-answer",
  ],
  [
    "the answer has two codes",
    () => ({ callback: (q) => q.append("code", "other") }),
    "invalid-provider-answer",
  ],
  ["state is another's", () => ({ callback: (q) => q.set("state", "other") }), "unknown-login"],
  [
    "the answer is an error",
    () => ({
      callback: (q) => {
        q.delete("code");
        q.set("error", "access_denied");
      },
    }),
    "login-refused",
  ],
  [
    "the provider cannot do what was asked",
    () => ({
      callback: (q) => {
        q.delete("code");
        q.set("error", "unmet_authentication_requirements");
      },
    }),
    "insufficient-login",
  ],
  [
    "the answer has no code",
    () => ({ callback: (q) => q.delete("code") }),
    "invalid-provider-answer",
  ],
  [
    "the code is one of another login",
    () => ({ callback: (q) => q.set("code", "code-of-another") }),
    "login-refused",
  ],
  [
    "iss of the ID token is another's",
    () => claims({ iss: "https://evil.example" }),
    "wrong-issuer",
  ],
  ["aud is another client", () => claims({ aud: "another-client" }), "wrong-audience"],
  ["aud is absent", () => claims({ aud: undefined }), "wrong-audience"],
  ["aud is empty", () => claims({ aud: [] }), "wrong-audience"],
  [
    "aud names one more that nobody trusts",
    () => claims({ aud: [ROGUE.clientId, "other"], azp: ROGUE.clientId }),
    "wrong-audience",
  ],
  ["azp is another client", () => claims({ azp: "another-client" }), "wrong-authorized-party"],
  ["exp is over", () => claims({ exp: 1_789_999_969 }), "token-expired"],
  ["exp is absent", () => claims({ exp: undefined }), "missing-claim"],
  ["iat is absent", () => claims({ iat: undefined }), "missing-claim"],
  ["iat lies ahead", () => claims({ iat: 1_790_000_031 }), "token-not-yet-valid"],
  ["iat is too long ago", () => claims({ iat: 1_789_999_369 }), "token-expired"],
  ["nbf lies ahead", () => claims({ nbf: 1_790_000_031 }), "token-not-yet-valid"],
  ["auth_time lies ahead", () => claims({ auth_time: 1_790_000_031 }), "invalid-claim"],
  ["nonce is another login's", () => claims({ nonce: "another" }), "wrong-nonce"],
  ["nonce is absent", () => claims({ nonce: undefined }), "wrong-nonce"],
  ["sub is absent", () => claims({ sub: undefined }), "missing-claim"],
  ["sub is empty", () => claims({ sub: "" }), "invalid-claim"],
  ["sub is a number", () => claims({ sub: 7 }), "invalid-claim"],
  [
    "at_hash is another token's",
    () => claims({ at_hash: "MTIzNDU2Nzg5MDEyMzQ1Ng" }),
    "wrong-token-hash",
  ],
  [
    "the ID token is unsigned",
    () => ({ idToken: (c) => `${encode({ alg: "none" })}.${encode(c)}.` }),
    "algorithm-not-allowed",
  ],
  [
    "the ID token is signed by HMAC with the client's secret",
    () => ({ idToken: (c) => hmacToken(ROGUE.clientSecret, { alg: "HS256" }, c) }),
    "algorithm-not-allowed",
  ],
  [
    "the ID token is signed by HMAC with the public key",
    (rogue) => ({
      idToken: (c) =>
        hmacToken(JSON.stringify(rogue.key.jwk), { alg: "HS256", kid: rogue.key.kid }, c),
    }),
    "algorithm-not-allowed",
  ],
  [
    "the ID token is signed by a key of nobody's",
    () => ({ idToken: (c) => signToken(stranger, { alg: "ES256", kid: "stranger" }, c) }),
    "unknown-key",
  ],
  [
    "the ID token is signed by a stranger under the provider's kid",
    (rogue) => ({ idToken: (c) => signToken(stranger, { alg: "ES256", kid: rogue.key.kid }, c) }),
    "invalid-signature",
  ],
  [
    "the ID token is an access token",
    (rogue) => ({
      idToken: (c) => signToken(rogue.key, { alg: "ES256", kid: rogue.key.kid, typ: "at+jwt" }, c),
    }),
    "invalid-token-type",
  ],
  [
    "the ID token is a logout token",
    (rogue) => ({
      idToken: (c) =>
        signToken(rogue.key, { alg: "ES256", kid: rogue.key.kid, typ: "logout+jwt" }, c),
    }),
    "invalid-token-type",
  ],
  ["the ID token is no token", () => ({ idToken: () => "a.b" }), "malformed-credential"],
  ["the ID token is a number", () => answer({ id_token: 7 }), "invalid-provider-answer"],
  ["there is no ID token", () => answer({ id_token: undefined }), "invalid-provider-answer"],
  [
    "there is no access token",
    () => answer({ access_token: undefined }),
    "invalid-provider-answer",
  ],
  ["the token type is unknown", () => answer({ token_type: "mac" }), "invalid-provider-answer"],
  [
    "the client is not known",
    () => answer({ $status: 401, error: "invalid_client" }),
    "invalid-provider-answer",
  ],
  [
    "the provider is down",
    () => answer({ $status: 503, error: "server_error" }),
    "identity-unavailable",
  ],
  [
    "the token endpoint redirects",
    () => token(307, { location: "http://127.0.0.1:9/token" }, ""),
    "identity-unavailable",
  ],
  [
    "the token endpoint answers garbage",
    () => token(200, { "content-type": "application/json" }, '{"access_token": '),
    "invalid-provider-answer",
  ],
  [
    "the token endpoint answers one name twice",
    () => token(200, { "content-type": "application/json" }, '{"id_token":"a","id_token":"b"}'),
    "invalid-provider-answer",
  ],
  [
    "the token endpoint answers a page",
    () => token(200, { "content-type": "text/html" }, "<h1>hello"),
    "invalid-provider-answer",
  ],
  [
    "the token endpoint answers megabytes",
    () => token(200, { "content-type": "application/json" }, " ".repeat(3_000_000)),
    "identity-unavailable",
  ],
  [
    "the token endpoint says that it will answer megabytes",
    () => token(200, { "content-length": "3000000" }, "{"),
    "identity-unavailable",
  ],
  [
    "the token endpoint hangs",
    () => ({ token: (response) => void response.writeHead(200).write("{") }),
    "identity-unavailable",
  ],
];

function claims(changed: Claims): Roguery {
  return { claims: (honest) => ({ ...honest, ...changed }) };
}

function answer(changed: Claims): Roguery {
  return { answer: (honest) => ({ ...honest, ...changed }) };
}

function token(status: number, headers: Record<string, string>, body: string): Roguery {
  return { token: (response) => void response.writeHead(status, headers).end(body) };
}

for (const [what, make, reason] of ROGUERIES) {
  test(`redeem() refuses with ${reason} where ${what}`, async (t) => {
    const place = await ground(t, { timeoutMs: 500 });
    Object.assign(place.rogue.roguery, make(place.rogue));
    const outcome = await login(place);
    assert.equal(reasonOf(outcome), reason, JSON.stringify(outcome));
    // What the operator reads holds nothing that was sent or received.
    const told = JSON.stringify(outcome) + place.log.lines.join("\n");
    for (const secret of [ROGUE.clientSecret, ...Object.values(SECRETS), "at-", "code-", "eyJ"]) {
      assert.ok(!told.includes(secret), `${secret} in ${told}`);
    }
  });
}

const DOCUMENTS: readonly (readonly [string, (honest: Claims) => Claims])[] = [
  ["its issuer differs", (d) => ({ ...d, issuer: "https://evil.example" })],
  ["its issuer differs by a slash", (d) => ({ ...d, issuer: `${String(d["issuer"])}/` })],
  ["it has no token endpoint", (d) => ({ ...d, token_endpoint: undefined })],
  [
    "its token endpoint is plain http elsewhere",
    (d) => ({ ...d, token_endpoint: "http://evil.example/token" }),
  ],
  ["its token endpoint is a file", (d) => ({ ...d, token_endpoint: "file:///etc/passwd" })],
  [
    "its authorization endpoint is a script",
    (d) => ({ ...d, authorization_endpoint: "javascript:alert(1)" }),
  ],
  ["its userinfo endpoint is a number", (d) => ({ ...d, userinfo_endpoint: 7 })],
  ["it cannot do codes", (d) => ({ ...d, response_types_supported: ["id_token"] })],
  ["it cannot do S256", (d) => ({ ...d, code_challenge_methods_supported: ["plain"] })],
];

for (const [what, change] of DOCUMENTS) {
  test(`authorizationUrl() sends nobody to a provider of whose document ${what}`, async (t) => {
    const place = await ground(t);
    place.rogue.roguery.document = change;
    const outcome = await login(place);
    assert.equal(reasonOf(outcome), "identity-unavailable");
    assert.deepEqual(place.rogue.requests, []);
  });
}

test("authorizationUrl() asks a provider that failed again after a moment, and not at once", async (t) => {
  const place = await ground(t);
  place.rogue.roguery.document = (honest) => ({ ...honest, issuer: "https://evil.example" });
  assert.equal(reasonOf(await login(place)), "identity-unavailable");
  delete place.rogue.roguery.document;
  assert.equal(reasonOf(await login(place)), "identity-unavailable");
  place.clock.advance(2000);
  assert.equal(reasonOf(await login(place)), "tokens");
});

test("redeem() refuses a code that was used", async (t) => {
  const place = await ground(t);
  const url = await place.provider.authorizationUrl({
    ...SECRETS,
    ...NO_DEMANDS,
    redirectUri: REDIRECT,
  });
  assert.ok(typeof url === "string");
  const callback = await place.rogue.authorize(url);
  assert.equal(reasonOf(await comeBack(place.provider, callback)), "tokens");
  assert.equal(reasonOf(await comeBack(place.provider, callback)), "login-refused");
});

test("redeem() takes an answer without iss where the provider never sends it", async (t) => {
  const place = await ground(t);
  place.rogue.roguery.document = (honest) => ({
    ...honest,
    authorization_response_iss_parameter_supported: undefined,
  });
  place.rogue.roguery.callback = (query) => query.delete("iss");
  assert.equal(reasonOf(await login(place)), "tokens");
  place.rogue.roguery.callback = (query) => query.set("iss", "https://evil.example");
  assert.equal(reasonOf(await login(place)), "wrong-issuer");
});

test("redeem() trusts further audiences that are named, with azp", async (t) => {
  const place = await ground(t, { trustedAudiences: ["project"] });
  const aud = [ROGUE.clientId, "project"];
  place.rogue.roguery.claims = (honest) => ({ ...honest, aud, azp: ROGUE.clientId });
  assert.equal(reasonOf(await login(place)), "tokens");
  place.rogue.roguery.claims = (honest) => ({ ...honest, aud });
  assert.equal(reasonOf(await login(place)), "wrong-authorized-party");
  place.rogue.roguery.claims = (honest) => ({ ...honest, aud: ["project"], azp: ROGUE.clientId });
  assert.equal(reasonOf(await login(place)), "wrong-audience", "trusted, but not us");
});

test("redeem() holds the provider to what was asked of the login", async (t) => {
  const place = await ground(t);
  const demands = { acrValues: ["gold"], maxAgeSeconds: 60 };
  assert.equal(reasonOf(await login(place, demands)), "tokens");
  for (const [changed, reason] of [
    [{ acr: "bronze" }, "insufficient-login"],
    [{ acr: undefined }, "insufficient-login"],
    [{ auth_time: 1_789_999_909 }, "insufficient-login"],
    [{ auth_time: undefined }, "missing-claim"],
    [{ auth_time: "yesterday" }, "invalid-claim"],
  ] as const) {
    place.rogue.roguery.claims = (honest) => ({ ...honest, ...changed });
    assert.equal(reasonOf(await login(place, demands)), reason, JSON.stringify(changed));
  }
});

test("redeem() takes times up to the tolerance, and not beyond", async (t) => {
  const place = await ground(t);
  const demands = { acrValues: [], maxAgeSeconds: 60 };
  const now = 1_790_000_000;
  for (const [changed, outcome] of [
    [{ iat: now + 30, nbf: now + 30 }, "tokens"],
    [{ iat: now - 630 }, "tokens"],
    [{ exp: now - 29 }, "tokens"],
    [{ exp: now - 30 }, "token-expired"],
    [{ auth_time: now - 90 }, "tokens"],
    [{ auth_time: now - 91 }, "insufficient-login"],
    [{ at_hash: undefined }, "tokens"],
    [{ sub: "x".repeat(255) }, "tokens"],
    [{ sub: "x".repeat(256) }, "invalid-claim"],
  ] as const) {
    place.rogue.roguery.claims = (honest) => ({ ...honest, ...changed });
    assert.equal(reasonOf(await login(place, demands)), outcome, JSON.stringify(changed));
  }
});

test("verifyLogoutToken() takes times up to the tolerance, and not beyond", async (t) => {
  const { rogue, provider } = await ground(t);
  const now = 1_790_000_000;
  for (const [changed, outcome] of [
    [{ iat: now + 30 }, "tokens"],
    [{ iat: now - 630 }, "tokens"],
    [{ exp: now - 29 }, "tokens"],
    [{ exp: now - 30 }, "token-expired"],
    [{ sid: "x".repeat(1024) }, "tokens"],
    [{ sid: "x".repeat(1025) }, "invalid-logout-token"],
    [{ sid: "" }, "invalid-logout-token"],
  ] as const) {
    const told = rogue.logoutToken({ sid: "s", ...changed });
    assert.equal(
      reasonOf(await provider.verifyLogoutToken(told)),
      outcome,
      JSON.stringify(changed),
    );
  }
});

test("redeem() adds userinfo, which overrides nothing that was signed", async (t) => {
  const place = await ground(t, { userinfo: true });
  const tokens = await login(place);
  assert.ok(!("fault" in tokens));
  assert.equal(tokens.claims?.["email"], "ada@example.com");
  assert.equal(tokens.claims?.["iss"], place.rogue.issuer);
});

test("redeem() refuses userinfo about somebody else, or nobody", async (t) => {
  const place = await ground(t, { userinfo: true });
  place.rogue.roguery.userinfo = (honest) => ({ ...honest, sub: "root" });
  assert.equal(reasonOf(await login(place)), "wrong-subject");
  place.rogue.roguery.userinfo = (honest) => ({ ...honest, sub: undefined });
  assert.equal(reasonOf(await login(place)), "wrong-subject");
  place.rogue.roguery.document = (honest) => ({ ...honest, userinfo_endpoint: undefined });
  place.clock.advance(3_600_000);
  assert.equal(reasonOf(await login(place)), "identity-unavailable");
});

test("authorizationUrl() pushes the request where that is offered, and says nothing in the URL", async (t) => {
  const place = await ground(t);
  const par = `${place.rogue.issuer}/par`;
  place.rogue.roguery.document = (d) => ({ ...d, pushed_authorization_request_endpoint: par });
  const url = await place.provider.authorizationUrl({
    ...SECRETS,
    ...NO_DEMANDS,
    redirectUri: REDIRECT,
  });
  assert.ok(typeof url === "string");
  assert.deepEqual([...new URL(url).searchParams.keys()].toSorted(), ["client_id", "request_uri"]);
  assert.equal(place.rogue.requests[0]?.form.get("state"), SECRETS.state);
  assert.equal(
    reasonOf(await comeBack(place.provider, await place.rogue.authorize(url))),
    "tokens",
  );
});

test("authorizationUrl() pushes none where that is off, and refuses a provider that cannot where it must", async (t) => {
  const place = await ground(t);
  const required = place.another({ pushedRequests: "required" });
  const asked = { ...SECRETS, ...NO_DEMANDS, redirectUri: REDIRECT };
  assert.equal(reasonOf(Object(await required.authorizationUrl(asked))), "identity-unavailable");
  const par = `${place.rogue.issuer}/par`;
  place.rogue.roguery.document = (d) => ({ ...d, pushed_authorization_request_endpoint: par });
  const off = place.another({ pushedRequests: "off" });
  const url = await off.authorizationUrl(asked);
  assert.ok(typeof url === "string");
  assert.match(url, /code_challenge=/);
  place.rogue.roguery.document = (d) => ({ ...d, require_pushed_authorization_requests: true });
  const impossible = place.another({ pushedRequests: "off" });
  assert.equal(reasonOf(Object(await impossible.authorizationUrl(asked))), "identity-unavailable");
});

test("redeem() proves who the client is in the way that is configured", async (t) => {
  const place = await ground(t);
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" }));
  const ways = {
    post: { method: "client_secret_post", secret: ROGUE.clientSecret },
    none: { method: "none" },
    key: { method: "private_key_jwt", key: readClientKey(pem), kid: "k1" },
  } as const;
  for (const authentication of Object.values(ways)) {
    const provider = place.another({ authentication });
    assert.equal(reasonOf(await login({ ...place, provider })), "tokens");
  }
  const [post, none, key] = place.rogue.requests;
  assert.equal(post?.form.get("client_secret"), ROGUE.clientSecret);
  assert.deepEqual([none?.form.get("client_secret"), none?.authorization], [null, undefined]);
  const assertion = key?.form.get("client_assertion")?.split(".") ?? [];
  assert.equal(assertion.length, 3);
  const [header, payload] = assertion.map((part) => Buffer.from(part, "base64url").toString());
  assert.deepEqual(JSON.parse(header ?? ""), { alg: "ES256", kid: "k1" });
  const { iss, sub, aud, exp, iat } = JSON.parse(payload ?? "") as Record<string, unknown>;
  assert.deepEqual([iss, sub, aud], [ROGUE.clientId, ROGUE.clientId, place.rogue.issuer]);
  assert.ok(Math.abs(Number(iat) - place.clock.now() / 1000) <= 2, "by our clock");
  assert.ok(Number(exp) > Number(iat));
  assert.equal(publicKey.asymmetricKeyType, "ec");
});

test("readClientKey() refuses a key that signs no assertion", () => {
  const { privateKey } = generateKeyPairSync("x25519");
  const pem = Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" }));
  assert.throws(() => readClientKey(pem), TypeError);
});

test("redeem() takes only contexts that are configured, whatever was asked of this login", async (t) => {
  const place = await ground(t, { acrValues: ["gold", "silver"] });
  const asked = async (acr: string | undefined, acrValues: readonly string[]) => {
    place.rogue.roguery.claims = (honest) => ({ ...honest, acr });
    return reasonOf(await login(place, { acrValues, maxAgeSeconds: undefined }));
  };
  assert.equal(await asked("silver", []), "tokens");
  assert.equal(await asked("bronze", []), "insufficient-login");
  assert.equal(await asked(undefined, []), "insufficient-login");
  assert.equal(await asked("bronze", ["bronze"]), "insufficient-login");
  assert.equal(await asked("silver", ["gold"]), "insufficient-login");
  assert.equal(await asked("gold", ["gold"]), "tokens");
});

/** Whose session is refreshed; what the nonce of its login was is not known. */
const OF_ADA = { subject: "ada", nonce: undefined };

test("refresh() takes the nonce of the login or none, and no other (Core section 12.2)", async (t) => {
  const place = await ground(t);
  const refreshed = async (said: string | undefined, nonce: string | undefined) => {
    delete place.rogue.roguery.claims;
    const first = await login(place);
    assert.ok(!("fault" in first));
    place.rogue.roguery.claims = (honest) => ({ ...honest, nonce: said });
    return reasonOf(
      await place.provider.refresh(first.refreshToken ?? "", { subject: "ada", nonce }),
    );
  };
  assert.equal(await refreshed("first", "first"), "tokens");
  assert.equal(await refreshed(undefined, "first"), "tokens");
  assert.equal(await refreshed("another", "first"), "wrong-nonce");
  assert.equal(await refreshed("", "first"), "wrong-nonce");
  assert.equal(await refreshed("another", undefined), "tokens");
});

test("refresh() need not say again how the person logged in", async (t) => {
  const place = await ground(t, { acrValues: ["gold"] });
  place.rogue.roguery.claims = (honest) => ({ ...honest, acr: "gold" });
  const first = await login(place);
  assert.ok(!("fault" in first));
  place.rogue.roguery.claims = (honest) => ({ ...honest, acr: undefined });
  assert.equal(reasonOf(await place.provider.refresh(first.refreshToken ?? "", OF_ADA)), "tokens");
});

test("refresh() gives the next token and stays with its subject", async (t) => {
  const place = await ground(t);
  const first = await login(place);
  assert.ok(!("fault" in first));
  const second = await place.provider.refresh(first.refreshToken ?? "", OF_ADA);
  assert.ok(!("fault" in second), JSON.stringify(second));
  assert.notEqual(second.refreshToken, first.refreshToken);
  assert.equal(second.claims?.["sub"], "ada");
  const again = await place.provider.refresh(first.refreshToken ?? "", OF_ADA);
  assert.equal(reasonOf(again), "login-refused", "it was rotated away");
  place.rogue.roguery.answer = (honest) => ({
    ...honest,
    id_token: undefined,
    refresh_token: undefined,
  });
  const bare = await place.provider.refresh(second.refreshToken ?? "", OF_ADA);
  assert.ok(!("fault" in bare));
  assert.equal(bare.claims, undefined);
  assert.equal(bare.refreshToken, undefined);
});

test("refresh() refuses an ID token of somebody else, and tells a provider that is down from one that refuses", async (t) => {
  const place = await ground(t);
  const refreshed = async (roguery: Roguery) => {
    const first = await login(place);
    assert.ok(!("fault" in first));
    Object.assign(place.rogue.roguery, roguery);
    const outcome = await place.provider.refresh(first.refreshToken ?? "", OF_ADA);
    for (const name of Object.keys(roguery)) delete place.rogue.roguery[name as keyof Roguery];
    return reasonOf(outcome);
  };
  assert.equal(await refreshed(claims({ sub: "root" })), "wrong-subject");
  assert.equal(await refreshed(claims({ iss: "https://evil.example" })), "wrong-issuer");
  assert.equal(await refreshed(claims({ aud: "another-client" })), "wrong-audience");
  assert.equal(await refreshed(claims({ auth_time: 1_790_000_031 })), "invalid-claim");
  assert.equal(await refreshed(claims({ auth_time: 1_790_000_030 })), "tokens");
  assert.equal(
    await refreshed(answer({ $status: 503, error: "server_error" })),
    "identity-unavailable",
  );
  assert.equal(await refreshed(answer({ $status: 400, error: "invalid_grant" })), "login-refused");
});

test("endSessionUrl() names us and where to come back to, where the provider has one", async (t) => {
  const place = await ground(t);
  const wanted = { postLogoutRedirectUri: "https://app.example.com/.sallyport/logged-out" };
  const url = await place.provider.endSessionUrl({ ...wanted, idToken: undefined });
  assert.deepEqual(Object.fromEntries(new URL(url ?? "").searchParams), {
    post_logout_redirect_uri: wanted.postLogoutRedirectUri,
    client_id: ROGUE.clientId,
  });
  place.rogue.roguery.document = (honest) => ({ ...honest, end_session_endpoint: undefined });
  const other = place.another({});
  assert.equal(await other.endSessionUrl({ ...wanted, idToken: undefined }), undefined);
});

const LOGOUTS: readonly (readonly [string, Claims, Claims, Reason])[] = [
  ["iss is another's", { iss: "https://evil.example", sid: "s" }, {}, "wrong-issuer"],
  ["aud is another client", { aud: "other", sid: "s" }, {}, "wrong-audience"],
  ["aud is absent", { aud: undefined, sid: "s" }, {}, "wrong-audience"],
  ["exp is over", { exp: 1_789_999_970, sid: "s" }, {}, "token-expired"],
  ["exp is absent", { exp: undefined, sid: "s" }, {}, "missing-claim"],
  ["iat is absent", { iat: undefined, sid: "s" }, {}, "missing-claim"],
  ["iat lies ahead", { iat: 1_790_000_031, sid: "s" }, {}, "token-not-yet-valid"],
  ["iat is long ago", { iat: 1_789_999_369, sid: "s" }, {}, "token-expired"],
  ["jti is absent", { jti: undefined, sid: "s" }, {}, "missing-claim"],
  [
    "events is absent, as in an ID token",
    { events: undefined, sid: "s" },
    {},
    "invalid-logout-token",
  ],
  [
    "events is about something else",
    { events: { other: {} }, sid: "s" },
    {},
    "invalid-logout-token",
  ],
  [
    "the event is no object",
    { events: { "http://schemas.openid.net/event/backchannel-logout": true }, sid: "s" },
    {},
    "invalid-logout-token",
  ],
  ["it has a nonce", { nonce: "n", sid: "s" }, {}, "invalid-logout-token"],
  ["it says of nobody", {}, {}, "invalid-logout-token"],
  ["sid is no text", { sid: 7, sub: "ada" }, {}, "invalid-logout-token"],
  ["sub is no text", { sid: "s", sub: {} }, {}, "invalid-logout-token"],
  ["it is an access token by its type", { sid: "s" }, { typ: "at+jwt" }, "invalid-token-type"],
  ["its key is not known", { sid: "s" }, { kid: "other" }, "unknown-key"],
];

for (const [what, changed, header, reason] of LOGOUTS) {
  test(`verifyLogoutToken() refuses with ${reason} where ${what}`, async (t) => {
    const { rogue, provider } = await ground(t);
    const outcome = await provider.verifyLogoutToken(rogue.logoutToken(changed, header));
    assert.equal(reasonOf(outcome), reason, JSON.stringify(outcome));
  });
}

test("verifyLogoutToken() says whose sessions end, once", async (t) => {
  const { rogue, provider, clock } = await ground(t);
  const told = rogue.logoutToken({ sid: "sid-ada", sub: "ada" });
  assert.deepEqual(await provider.verifyLogoutToken(told), { sid: "sid-ada", subject: "ada" });
  assert.equal(reasonOf(await provider.verifyLogoutToken(told)), "replayed-logout-token");
  clock.advance(149_000);
  assert.equal(reasonOf(await provider.verifyLogoutToken(told)), "replayed-logout-token");
  const old = rogue.logoutToken({ sub: "ada" }, { typ: undefined });
  assert.deepEqual(await provider.verifyLogoutToken(old), { sid: undefined, subject: "ada" });
  const forged = signToken(stranger, { alg: "ES256", kid: rogue.key.kid }, { sub: "ada" });
  assert.equal(reasonOf(await provider.verifyLogoutToken(forged)), "invalid-signature");
});
