import assert from "node:assert/strict";
import test from "node:test";
import type { GateRoute } from "../gate/snapshot.ts";
import type { RequestHead } from "../model/http.ts";
import {
  createProtectedResources,
  type ProtectedRoute,
  resourcePath,
  type ResourceListener,
} from "./protected-resources.ts";
import { withResourceMetadata } from "./resource-challenge.ts";

const EDGE: ResourceListener = {
  name: "edge",
  publicOrigin: "https://api.example:8443",
  certificates: false,
};

function route(path: string, changes: Partial<ProtectedRoute> = {}): ProtectedRoute {
  return {
    route: { name: path } as GateRoute,
    host: undefined,
    path,
    options: {},
    name: "billing",
    authorizationServers: ["https://login.example"],
    bound: false,
    ...changes,
  };
}

function told(
  routes: readonly ProtectedRoute[],
  target: string,
  {
    host = "api.example:8443",
    method = "GET",
    listener = EDGE,
    algorithms = ["ES256"],
  }: {
    readonly host?: string | undefined;
    readonly method?: string;
    readonly listener?: ResourceListener;
    readonly algorithms?: readonly string[];
  } = {},
) {
  const resources = createProtectedResources(routes, {
    listeners: [listener],
    proofAlgorithms: algorithms,
  });
  return resources.answer("edge", { method, target, host } as RequestHead);
}

function documentOf(answer: ReturnType<typeof told>): Record<string, unknown> {
  assert.equal(answer?.status, 200);
  return JSON.parse(answer.body) as Record<string, unknown>;
}

const BASE = "/.well-known/oauth-protected-resource";

test("resourcePath() is the literal beginning of a pattern", () => {
  for (const [pattern, path] of [
    ["/", ""],
    ["/*", ""],
    ["/{id}", ""],
    ["/billing", "/billing"],
    ["/billing/*", "/billing"],
    ["/billing/", "/billing/"],
    ["/a/b/{id}/c", "/a/b"],
  ] as const) {
    assert.equal(resourcePath(pattern), path, pattern);
  }
});

test("a document says where tokens come from, and how they are sent", () => {
  const options = {
    name: "Billing",
    documentation: "https://docs.example/billing",
    policy: "https://docs.example/policy",
    terms: "https://docs.example/terms",
    scopes: ["read", "write"],
  };
  assert.deepEqual(documentOf(told([route("/billing/*", { options })], `${BASE}/billing`)), {
    resource: "https://api.example:8443/billing",
    authorization_servers: ["https://login.example"],
    scopes_supported: ["read", "write"],
    bearer_methods_supported: ["header"],
    resource_name: "Billing",
    resource_documentation: "https://docs.example/billing",
    resource_policy_uri: "https://docs.example/policy",
    resource_tos_uri: "https://docs.example/terms",
    tls_client_certificate_bound_access_tokens: false,
    dpop_signing_alg_values_supported: ["ES256"],
    dpop_bound_access_tokens_required: false,
  });
});

test("routes of one beginning are one resource, and all of a host are one", () => {
  const routes = [
    route("/billing/*", { options: { scopes: ["read"] } }),
    route("/billing/{id}", {
      options: { scopes: ["write", "read"] },
      authorizationServers: ["https://other.example", "https://login.example"],
    }),
    route("/orders", { name: "orders", authorizationServers: ["https://third.example"] }),
  ];
  const billing = documentOf(told(routes, `${BASE}/billing`));
  assert.deepEqual(billing["authorization_servers"], [
    "https://login.example",
    "https://other.example",
  ]);
  assert.deepEqual(billing["scopes_supported"], ["read", "write"]);
  assert.equal(billing["resource_name"], "billing");
  const all = documentOf(told(routes, BASE));
  assert.equal(all["resource"], "https://api.example:8443");
  assert.equal((all["authorization_servers"] as string[]).length, 3);
  assert.equal(all["resource_name"], undefined);
});

test("proofs are required where every token is to be bound and nothing else could bind it", () => {
  const bound = route("/a", { bound: true });
  const open = route("/a/*");
  const certificates = { ...EDGE, certificates: true };
  for (const [routes, options, required, byCertificate] of [
    [[bound], {}, true, false],
    [[bound, open], {}, false, false],
    [[bound], { listener: certificates }, false, true],
    [[bound], { algorithms: [] }, false, false],
  ] as const) {
    const document = documentOf(told(routes, `${BASE}/a`, options));
    assert.equal(document["dpop_bound_access_tokens_required"], required);
    assert.equal(document["tls_client_certificate_bound_access_tokens"], byCertificate);
  }
});

test("an address is of the configuration, not of the caller's Host", () => {
  const routes = [
    route("/any"),
    route("/own", { host: "own.example" }),
    route("/wild", { host: "*.tenants.example" }),
  ];
  for (const [host, path, resource] of [
    ["evil.example", "/any", "https://api.example:8443/any"],
    ["own.example", "/own", "https://own.example:8443/own"],
    ["own.example:9", "/own", "https://own.example:8443/own"],
    ["a.tenants.example", "/wild", "https://a.tenants.example:8443/wild"],
    ["A.Tenants.Example", "/wild", "https://a.tenants.example:8443/wild"],
  ] as const) {
    assert.equal(documentOf(told(routes, `${BASE}${path}`, { host }))["resource"], resource, host);
  }
  for (const [host, path] of [
    ["evil.example", "/own"],
    ["evil.example", "/wild"],
    ["a.tenants.example.evil", "/wild"],
    ['a".tenants.example', "/wild"],
    ["", "/any"],
  ] as const) {
    assert.equal(told(routes, `${BASE}${path}`, { host }), undefined, `${host} ${path}`);
  }
});

test("only what is there has a document, in one spelling", () => {
  const routes = [route("/billing/*")];
  for (const target of [
    `${BASE}/`,
    `${BASE}/billing/`,
    `${BASE}/billing/1`,
    `${BASE}/b%69lling`,
    `${BASE}/other`,
    `${BASE}s`,
    `${BASE}/../oauth-protected-resource/billing`,
    "/.well-known/oauth-authorization-server",
  ]) {
    assert.equal(told(routes, target), undefined, target);
  }
  assert.equal(told(routes, `${BASE}/billing?x=1`)?.status, 200);
});

test("a document may be read by pages, and not be written", () => {
  const routes = [route("/billing/*")];
  const get = told(routes, `${BASE}/billing`);
  assert.equal(get?.fields[get.fields.indexOf("access-control-allow-origin") + 1], "*");
  assert.equal(told(routes, `${BASE}/billing`, { method: "HEAD" })?.status, 200);
  const preflight = told(routes, `${BASE}/billing`, { method: "OPTIONS" });
  assert.equal(preflight?.status, 204);
  assert.ok(preflight.fields.includes("access-control-allow-headers"));
  assert.equal(told(routes, `${BASE}/billing`, { method: "POST" })?.status, 405);
});

test("metadataUrl() is where the document of the route is", () => {
  const billing = route("/billing/{id}");
  const wild = route("/x", { host: "*.example" });
  const resources = createProtectedResources([billing, wild], {
    listeners: [EDGE],
    proofAlgorithms: [],
  });
  const at = (one: ProtectedRoute, host: string | undefined, listener = "edge") =>
    resources.metadataUrl(listener, one.route, host);
  assert.equal(at(billing, "evil.example"), `https://api.example:8443${BASE}/billing`);
  assert.equal(at(wild, "a.example"), `https://a.example:8443${BASE}/x`);
  assert.equal(at(billing, "api.example", "other"), undefined);
  assert.equal(at(route("/untold"), "api.example"), undefined);
});

test("withResourceMetadata() names it in the first scheme, and escapes nothing", () => {
  const url = "https://api.example/.well-known/oauth-protected-resource";
  assert.equal(
    withResourceMetadata('Bearer realm="x"', url),
    `Bearer resource_metadata="${url}", realm="x"`,
  );
  assert.equal(withResourceMetadata("DPoP", url), `DPoP resource_metadata="${url}"`);
  assert.equal(withResourceMetadata("Bearer", undefined), "Bearer");
  assert.equal(withResourceMetadata(undefined, url), undefined);
  assert.equal(withResourceMetadata("Bearer", `${url}/"`), "Bearer");
});
