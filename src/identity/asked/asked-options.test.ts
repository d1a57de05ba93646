import assert from "node:assert/strict";
import test from "node:test";
import { clientMethod } from "./client-options.ts";
import { introspectionOptionsSchema } from "../introspection-options.ts";
import { kubernetesOptionsSchema } from "../kubernetes-options.ts";

const introspection = {
  type: "introspection",
  endpoint: "https://login.example.com/introspect",
  client: { id: "sallyport", secret: "s" },
};

test("introspection options need endpoint and client only; the rest is what careful people choose", () => {
  const { client, ...options } = introspectionOptionsSchema.parse(introspection);
  assert.equal(clientMethod(client), "client_secret_basic");
  assert.deepEqual(options, {
    type: "introspection",
    endpoint: introspection.endpoint,
    clockSkew: 30_000,
    principal: { kind: "user", subject: "sub", attributes: {} },
    cache: { max: 60_000, inactive: 5000 },
    down: "refuse",
    timeout: 5000,
    insecureHttp: false,
    insecureAnyAudience: false,
  });
});

test("a client proves who it is by what it has", () => {
  const methods = [
    [{ secret: "s" }, "client_secret_basic"],
    [{ secret: "s", method: "client_secret_post" }, "client_secret_post"],
    [{ privateKey: "a.key", keyId: "k", audience: "https://x" }, "private_key_jwt"],
    [{ certificate: "a.pem", key: "a.key" }, "tls_client_auth"],
  ] as const;
  for (const [proof, method] of methods) {
    const options = { ...introspection, client: { id: "sallyport", ...proof } };
    assert.equal(clientMethod(introspectionOptionsSchema.parse(options).client), method);
  }
});

const client = (proof: object): object => ({ client: { id: "sallyport", ...proof } });

const REFUSED: readonly [what: string, changes: object, at: string][] = [
  ["no proof", client({}), "client"],
  ["two proofs", client({ secret: "s", privateKey: "k" }), "client"],
  ["a method without what it needs", client({ method: "client_secret_post" }), "client.secret"],
  [
    "a method with what another needs",
    client({ secret: "s", privateKey: "k", method: "private_key_jwt" }),
    "client.secret",
  ],
  ["a certificate without its key", client({ certificate: "c" }), "client.key"],
  ["a key without its certificate", client({ secret: "s", key: "k" }), "client.certificate"],
  ["a name for no key", client({ secret: "s", keyId: "k" }), "client.keyId"],
  ["an audience for no assertion", client({ secret: "s", audience: "x" }), "client.audience"],
  ["no id", { client: { secret: "s" } }, "client.id"],
  ["plain http elsewhere", { endpoint: "http://login.example.com/x" }, "endpoint"],
  ["a password in the URL", { endpoint: "https://a:b@login.example.com/x" }, "endpoint"],
  ["a file", { endpoint: "file:///etc/passwd" }, "endpoint"],
  [
    "a certificate that no handshake shows",
    { endpoint: "http://127.0.0.1/x", ...client({ certificate: "c", key: "k" }) },
    "endpoint",
  ],
  ["serving for no longer than the cache", { down: { serveFor: "1m" } }, "down.serveFor"],
  ["a cache for a day", { cache: { max: "24h" } }, "cache.max"],
  ["inactive for an hour", { cache: { inactive: "1h" } }, "cache.inactive"],
  ["no timeout", { timeout: "0s" }, "timeout"],
  ["an unknown rule", { down: "allow" }, "down"],
  ["an unknown key", { fallback: true }, ""],
];

for (const [what, changes, at] of REFUSED) {
  test(`introspection options refuse ${what}, at its place`, () => {
    const result = introspectionOptionsSchema.safeParse({ ...introspection, ...changes });
    assert.equal(result.success, false);
    assert.deepEqual([...new Set(result.error.issues.map(({ path }) => path.join(".")))], [at]);
  });
}

const kubernetes = { type: "kubernetes", audience: ["sallyport"] };

test("kubernetes options need an audience only", () => {
  const { keys: _, ...options } = kubernetesOptionsSchema.parse(kubernetes);
  assert.deepEqual(options, {
    type: "kubernetes",
    audience: ["sallyport"],
    issuer: "https://kubernetes.default.svc.cluster.local",
    apiServer: "https://kubernetes.default.svc",
    algorithms: ["RS256", "ES256", "ES384", "ES512"],
    clockSkew: 30_000,
    review: false,
    insecureHttp: false,
  });
});

const OUTSIDE = { apiServer: "https://cluster.example:6443" };

const KUBERNETES_REFUSED: readonly [what: string, changes: object, at: string][] = [
  ["no audience", { audience: undefined }, "audience"],
  ["an empty audience", { audience: [] }, "audience"],
  ["plain http elsewhere", { apiServer: "http://cluster.example" }, "apiServer"],
  ["a query that paths would be put behind", { apiServer: "https://c.example/?a=" }, "apiServer"],
  ["authorities for no handshake", { apiServer: "http://127.0.0.1:8080", ca: "ca" }, "ca"],
  ["a review with nothing to show", { ...OUTSIDE, review: true }, "tokenFile"],
  ["a cache of nothing", { cache: { max: "1s" } }, "cache"],
  ["a timeout of nothing", { timeout: "1s" }, "timeout"],
  ["an outage of nothing", { down: "refuse" }, "down"],
  [
    "serving for no longer than the cache that is there without being written",
    { review: true, down: { serveFor: "30s" } },
    "down.serveFor",
  ],
];

for (const [what, changes, at] of KUBERNETES_REFUSED) {
  test(`kubernetes options refuse ${what}, at its place`, () => {
    const result = kubernetesOptionsSchema.safeParse({ ...kubernetes, ...changes });
    assert.equal(result.success, false);
    assert.deepEqual([...new Set(result.error.issues.map(({ path }) => path.join(".")))], [at]);
  });
}
