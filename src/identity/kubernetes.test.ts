import assert from "node:assert/strict";
import test from "node:test";
import { headerOf, hmacToken, keySetOf, signToken, testKey } from "../../test/issuer.ts";
import { fakeFetcher, fakeJsonClient, recordedLog, recordedMetrics } from "../../test/ports.ts";
import { SallyportError } from "../model/errors.ts";
import { isFailure, type CredentialFacts, type CredentialFailure } from "../model/facts.ts";
import type { Reason } from "../model/reason.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createAskedPool } from "./asked/asked-pool.ts";
import { createBearerSet } from "./bearer.ts";
import { checkFacts } from "./checks.ts";
import { createFactsCache } from "./facts-cache.ts";
import { createKeySetPool } from "./key-set/key-set-pool.ts";
import { kubernetesOptionsSchema } from "./kubernetes-options.ts";
import { createKubernetesAuthenticator } from "./kubernetes.ts";

const NOW = 1_800_000_000;
const ISSUER = "https://kubernetes.default.svc.cluster.local";
const API = "https://kubernetes.default.svc";
const DISCOVERY = `${API}/.well-known/openid-configuration`;
const KEYS = `${API}/openid/v1/jwks`;
const SUBJECT = "system:serviceaccount:shop:checkout";
const UID = "3b2c7a0e-9d51-4c3f-8a77-0d4d0f0a1c11";
const CANARY = "CANARY-77d0";

const key = testKey("cluster-1", "RS256");
const other = testKey("cluster-1", "RS256", "another cluster's");

const SOURCE = {
  namespace: "shop",
  node: { name: "node-1", uid: "a1" },
  pod: { name: "checkout-5d9c", uid: "b2" },
  serviceaccount: { name: "checkout", uid: UID },
  warnafter: NOW + 3000,
};

const CLAIMS = {
  aud: ["sallyport"],
  exp: NOW + 3600,
  iat: NOW,
  iss: ISSUER,
  jti: "ea28ed49",
  "kubernetes.io": SOURCE,
  nbf: NOW,
  sub: SUBJECT,
};

const REVIEWED = {
  kind: "TokenReview",
  apiVersion: "authentication.k8s.io/v1",
  metadata: { creationTimestamp: null },
  spec: {},
  status: {
    authenticated: true,
    audiences: ["sallyport"],
    user: { username: SUBJECT, uid: UID, groups: ["system:serviceaccounts"] },
  },
};

function fixture(changes: object = {}) {
  const clock = new ManualClock(NOW * 1000);
  const timers = new ManualTimers();
  const metrics = recordedMetrics();
  const log = recordedLog();
  const fetcher = fakeFetcher({
    [DISCOVERY]: { issuer: ISSUER, jwks_uri: KEYS },
    [KEYS]: keySetOf(key),
  });
  const client = fakeJsonClient(REVIEWED);
  const files: object[] = [];
  const deps = {
    clock,
    timers,
    metrics,
    log,
    keySets: createKeySetPool(),
    asked: createAskedPool(),
    documentFetcher: (named: object) => {
      files.push(named);
      return fetcher;
    },
    jsonClient: (named: object) => {
      files.push(named);
      return client;
    },
  };
  const options = { type: "kubernetes", audience: ["sallyport"], ...changes };
  const create = () =>
    createKubernetesAuthenticator(
      { ...kubernetesOptionsSchema.parse(options), name: "cluster" },
      deps,
    );
  const authenticator = create();
  const bearer = createBearerSet([authenticator], createFactsCache({}, { clock, metrics }));
  return { clock, timers, metrics, log, fetcher, client, files, authenticator, bearer, create };
}

type Fixture = ReturnType<typeof fixture>;

function token(claims: object = {}, header: object = {}, signer = key): string {
  return signToken(signer, { alg: "RS256", kid: "cluster-1", ...header }, { ...CLAIMS, ...claims });
}

function withSource(changes: object): string {
  return token({ "kubernetes.io": { ...SOURCE, ...changes } });
}

async function good({ bearer }: Fixture, presented = token()): Promise<CredentialFacts> {
  const result = await bearer.verify(presented);
  assert.ok(!isFailure(result), JSON.stringify(result));
  return result;
}

async function bad({ bearer }: Fixture, presented = token()): Promise<CredentialFailure> {
  const result = await bearer.verify(presented);
  assert.ok(isFailure(result), "it should have been refused");
  return result;
}

test("verify() says which service account it is, in which pod, on which node", async () => {
  const facts = await good(fixture());
  assert.deepEqual(facts.principal, {
    kind: "workload",
    authenticator: "cluster",
    subject: SUBJECT,
    roles: [],
    groups: [
      "cluster/system:serviceaccounts",
      "cluster/system:serviceaccounts:shop",
      "cluster/system:authenticated",
    ],
    attributes: {
      namespace: "shop",
      serviceAccount: "checkout",
      serviceAccountUid: UID,
      pod: "checkout-5d9c",
      podUid: "b2",
      node: "node-1",
      nodeUid: "a1",
    },
  });
  assert.equal(facts.kind, "kubernetes");
  assert.equal(facts.expiresAt, NOW + 3600);
  assert.equal(facts.tokenId, "ea28ed49");
  assert.deepEqual(facts.audience, ["sallyport"]);
});

test("verify() leaves attributes empty where a token is bound to no pod, and none away", async () => {
  const f = fixture();
  const { pod, podUid, node, nodeUid, ...rest } = (
    await good(f, withSource({ pod: undefined, node: undefined }))
  ).principal.attributes;
  assert.deepEqual([pod, podUid, node, nodeUid], ["", "", "", ""]);
  assert.equal(Object.keys(rest).length, 3);
  const gone = await good(f, withSource({ node: { name: "node-1" } }));
  assert.equal(gone.principal.attributes["nodeUid"], "");
  const declared = Object.keys(f.authenticator.vocabulary.attributes);
  assert.deepEqual(Object.keys(gone.principal.attributes), declared);
});

test("what a token is meant for is looked at for each route: the API server's own opens nothing", async () => {
  const f = fixture();
  const facts = await good(f, token({ aud: [ISSUER, API] }));
  assert.equal(checkFacts(facts, NOW * 1000, undefined), "wrong-audience");
  assert.equal(checkFacts(await good(f), NOW * 1000, undefined), undefined);
  assert.equal(checkFacts(await good(f), NOW * 1000, ["billing"]), "wrong-audience");
});

/** A token of old, as it lay in secrets: no end, another issuer, flat claims. */
const LEGACY = {
  iss: "kubernetes/serviceaccount",
  "kubernetes.io/serviceaccount/namespace": "shop",
  "kubernetes.io/serviceaccount/secret.name": "checkout-token-x7k2p",
  "kubernetes.io/serviceaccount/service-account.name": "checkout",
  "kubernetes.io/serviceaccount/service-account.uid": UID,
  sub: SUBJECT,
};

/** `costly`: a signature was checked. */
const HOSTILE: readonly [what: string, token: string, reason: Reason, costly: boolean][] = [
  ["a legacy token", signToken(key, headerOf(key), LEGACY), "unknown-issuer", false],
  ["a token without an end", token({ exp: undefined }), "missing-claim", false],
  ["one of another issuer", token({ iss: "https://evil.example" }), "unknown-issuer", false],
  ["one that has expired", token({ exp: NOW - 31 }), "token-expired", false],
  ["one that is not valid yet", token({ nbf: NOW + 31 }), "token-not-yet-valid", false],
  ["another cluster's, under the same kid", token({}, {}, other), "invalid-signature", true],
  ["one under a key that nobody knows", token({}, { kid: "cluster-9" }), "unknown-key", true],
  ["one without a signature", token({}, { alg: "none" }), "algorithm-not-allowed", false],
  [
    "one signed with the public key as a secret",
    hmacToken(JSON.stringify(key.jwk), { alg: "HS256", kid: "cluster-1" }, CLAIMS),
    "algorithm-not-allowed",
    false,
  ],
  ["one of another type", token({}, { typ: "at+jwt" }), "invalid-token-type", false],
  ["an ID token", token({ at_hash: "x" }), "invalid-token-type", false],
  ["one without kubernetes.io", token({ "kubernetes.io": undefined }), "missing-claim", true],
  ["kubernetes.io as a text", token({ "kubernetes.io": "shop" }), "invalid-claim", true],
  ["kubernetes.io as null", token({ "kubernetes.io": null }), "invalid-claim", true],
  [
    "a namespace that would make another account's subject",
    token({
      sub: "system:serviceaccount:shop:admin:checkout",
      "kubernetes.io": { ...SOURCE, namespace: "shop:admin" },
    }),
    "invalid-claim",
    true,
  ],
  ["no namespace", withSource({ namespace: undefined }), "invalid-claim", true],
  ["a namespace that is none", withSource({ namespace: "shop:admin" }), "invalid-claim", true],
  ["no service account", withSource({ serviceaccount: undefined }), "missing-claim", true],
  [
    "a service account as a text",
    withSource({ serviceaccount: "checkout" }),
    "invalid-claim",
    true,
  ],
  [
    "a service account without a uid",
    withSource({ serviceaccount: { name: "checkout" } }),
    "invalid-claim",
    true,
  ],
  [
    "a service account with a colon",
    token({
      sub: "system:serviceaccount:shop:a:b",
      "kubernetes.io": { ...SOURCE, serviceaccount: { name: "a:b", uid: UID } },
    }),
    "invalid-claim",
    true,
  ],
  ["a pod without a name", withSource({ pod: { uid: "b2" } }), "invalid-claim", true],
  ["a pod without a uid", withSource({ pod: { name: "p" } }), "invalid-claim", true],
  ["a pod that is null", withSource({ pod: null }), "invalid-claim", true],
  [
    "a node with no name of one",
    withSource({ node: { name: "../x", uid: "1" } }),
    "invalid-claim",
    true,
  ],
  [
    "a subject in another namespace",
    token({ sub: "system:serviceaccount:kube-system:checkout" }),
    "invalid-claim",
    true,
  ],
  ["a subject that is a user", token({ sub: "system:admin" }), "invalid-claim", true],
  ["no subject", token({ sub: undefined }), "invalid-claim", true],
  ["a confirmation that is none", token({ cnf: "x" }), "invalid-claim", true],
];

for (const [what, presented, reason, costly] of HOSTILE) {
  test(`verify() refuses ${what}: ${reason}`, async () => {
    const f = fixture();
    await f.authenticator.start();
    const failure = await bad(f, presented);
    assert.equal(failure.failure, reason, failure.detail);
    assert.equal(failure.costly, costly);
    assert.ok(!JSON.stringify(failure).includes("evil"));
    assert.equal(f.client.posted.length, 0);
  });
}

test("a token that is bound to a key keeps its confirmation", async () => {
  const cnf = { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" };
  const facts = await good(fixture(), token({ cnf }));
  assert.equal(facts.confirmation?.keyThumbprint, cnf.jkt);
});

test("keys come from the API server, whose discovery has to be the issuer's", async () => {
  const f = fixture();
  f.fetcher.documents.set(DISCOVERY, { issuer: "https://evil.example", jwks_uri: KEYS });
  assert.equal((await bad(f)).failure, "identity-unavailable");
  assert.deepEqual(f.fetcher.asked, [DISCOVERY]);
  assert.match(f.log.lines.join(), /its issuer is .{0,4}https:\/\/evil\.example/);
});

test("keys are fetched from no other host, wherever the API server says that they are", async () => {
  for (const jwks_uri of [
    "https://10.0.0.1:6443/openid/v1/jwks",
    "file:///etc/passwd",
    7,
    undefined,
  ]) {
    const f = fixture();
    f.fetcher.documents.set(DISCOVERY, { issuer: ISSUER, jwks_uri });
    await good(f);
    assert.deepEqual(f.fetcher.asked, [DISCOVERY, KEYS]);
  }
  const f = fixture();
  f.fetcher.documents.set(DISCOVERY, { issuer: ISSUER, jwks_uri: `${API}/own/keys` });
  f.fetcher.documents.set(`${API}/own/keys`, keySetOf(key));
  await good(f);
  assert.deepEqual(f.fetcher.asked, [DISCOVERY, `${API}/own/keys`]);
});

test("a key that leaves the set takes its tokens with it", async () => {
  const f = fixture();
  const facts = await good(f);
  f.fetcher.documents.set(KEYS, keySetOf(testKey("cluster-2", "RS256")));
  f.timers.runAll();
  await new Promise(setImmediate);
  assert.equal(facts.valid(), false);
});

test("in a pod, its CA and its token are used; elsewhere what is named", () => {
  const inPod = fixture();
  const folder = "/var/run/secrets/kubernetes.io/serviceaccount";
  assert.deepEqual(inPod.files, [{ ca: `${folder}/ca.crt`, bearer: `${folder}/token` }]);
  const outside = fixture({ apiServer: "https://cluster.example:6443" });
  assert.deepEqual(outside.files, [{ ca: undefined, bearer: undefined }]);
  const named = fixture({ apiServer: "https://cluster.example", ca: "ca.pem", tokenFile: "token" });
  assert.deepEqual(named.files, [{ ca: "ca.pem", bearer: "token" }]);
});

test("review: the API server is asked, once for many, about what it has signed for us", async () => {
  const f = fixture({ review: true });
  const presented = token();
  await Promise.all(Array.from({ length: 100 }, () => good(f, presented)));
  assert.deepEqual(f.client.posted, [
    {
      url: `${API}/apis/authentication.k8s.io/v1/tokenreviews`,
      message: {
        json: {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenReview",
          spec: { token: presented, audiences: ["sallyport"] },
        },
        accepted: [200, 201],
      },
    },
  ]);
  await bad(f, token({}, {}, other));
  assert.equal((await bad(f, token({ aud: ["billing"] }))).failure, "wrong-audience");
  assert.equal(f.client.posted.length, 1, "nothing else is shown to it");
});

const { status } = REVIEWED;
const REVIEWS: readonly [what: string, answer: object, reason: Reason][] = [
  [
    "a token that is invalid",
    { status: { user: {}, error: "[invalid bearer token]" } },
    "inactive-token",
  ],
  [
    "a token that is not authenticated",
    { status: { ...status, authenticated: false } },
    "inactive-token",
  ],
  [
    "an API server that knows no audiences",
    { status: { ...status, audiences: undefined } },
    "wrong-audience",
  ],
  [
    "a confirmation for another audience",
    { status: { ...status, audiences: [API] } },
    "wrong-audience",
  ],
  [
    "audiences that are a text",
    { status: { ...status, audiences: "sallyport" } },
    "wrong-audience",
  ],
  [
    "another user",
    {
      status: { ...status, user: { ...status.user, username: "system:serviceaccount:shop:other" } },
    },
    "invalid-claim",
  ],
  [
    "a service account that was made anew",
    { status: { ...status, user: { ...status.user, uid: "another" } } },
    "invalid-claim",
  ],
  ["no user", { status: { ...status, user: undefined } }, "invalid-claim"],
];

for (const [what, changes, reason] of REVIEWS) {
  test(`review: refuses ${what}: ${reason}`, async () => {
    const f = fixture({ review: true });
    f.client.answer = { ...REVIEWED, ...changes };
    const failure = await bad(f);
    assert.equal(failure.failure, reason);
    assert.equal(failure.costly, true);
  });
}

const NO_REVIEWS: readonly [what: string, answer: unknown][] = [
  ["another kind", { ...REVIEWED, kind: "SubjectAccessReview" }],
  ["another version", { ...REVIEWED, apiVersion: "authentication.k8s.io/v1beta1" }],
  ["no status", { ...REVIEWED, status: undefined }],
  ["authenticated as a text", { ...REVIEWED, status: { ...status, authenticated: "true" } }],
  ["a list", [REVIEWED]],
  [
    "nothing",
    () => {
      throw new SallyportError("fetch-failed", "answered 403");
    },
  ],
];

for (const [what, answer] of NO_REVIEWS) {
  test(`review: takes ${what} for no answer, charges nobody and asks again`, async () => {
    const f = fixture({ review: true });
    f.client.answer = answer;
    const failure = await bad(f);
    assert.equal(failure.failure, "identity-unavailable");
    assert.equal(failure.costly, false);
    f.client.answer = REVIEWED;
    await good(f);
  });
}

test("review: an answer counts for cache.max, and no longer than the key does", async () => {
  const f = fixture({ review: true, cache: { max: "20s" } });
  await f.authenticator.start();
  const facts = await good(f);
  assert.equal(facts.valid(), true);
  f.fetcher.documents.set(KEYS, keySetOf(testKey("cluster-2", "RS256")));
  // An unknown key fetches the set again, once it is due.
  f.clock.advance(10_000);
  await bad(f, token({}, { kid: "cluster-3" }));
  assert.equal(facts.valid(), false);
  assert.equal((await bad(f)).failure, "unknown-key");
});

test("review: down: serveFor, as with introspection", async () => {
  const f = fixture({ review: true, cache: { max: "20s" }, down: { serveFor: "10m" } });
  await good(f);
  f.client.answer = { kind: "Status", code: 500 };
  f.clock.advance(20_000);
  const callOffs = f.timers.delays.length;
  assert.ok(callOffs > 0);
  f.timers.runAll();
  await new Promise(setImmediate);
  await good(f);
  assert.equal(f.metrics.value("sallyport_provider_stale_facts cluster"), 1);
});

test("close() ends what was verified and reviewed", async () => {
  for (const review of [false, true]) {
    const f = fixture({ review });
    const facts = await good(f);
    f.authenticator.close();
    // Keys are shared in a pool: what they verified is given out by nobody any more.
    assert.equal((await bad(f, token({ jti: CANARY }))).failure, "identity-unavailable");
    if (review) assert.equal(facts.valid(), false);
  }
});

test("insecureHttp is warned about, and only where it is on", () => {
  const plain = { apiServer: "http://cluster.example:8080", insecureHttp: true };
  assert.match(fixture(plain).log.lines.join(), /^warn an insecure option is on .*insecureHttp/);
  assert.deepEqual(fixture().log.lines, []);
});

test("verify() of what is no signed token is a mistake of ours", () => {
  const { authenticator } = fixture();
  const presented = { token: "opaque", jws: undefined, credentialHash: "x" };
  assert.throws(() => authenticator.verify(presented), TypeError);
});
