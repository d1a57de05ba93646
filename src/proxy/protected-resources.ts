/**
 * OAuth protected-resource metadata (RFC 9728): a client that knows nothing but an address finds out here
 * which authorization server gives tokens for it, and the 401 that it gets names the place.
 *
 * A resource is what lies under the literal beginning of a route's path at one host: `/billing/*` and
 * `/billing/{id}` are both `/billing`. There is one document for each, and one for each host as a whole. An
 * address comes from the configuration alone: the listener's public origin, with the route's own host
 * where it has one. What a caller writes into Host is never repeated, unless a wildcard of a route takes it.
 */
import type { ResourceOptions } from "../gate/resource-options.ts";
import { createRouter, type Router } from "../gate/router.ts";
import type { GateRoute } from "../gate/snapshot.ts";
import type { RequestHead } from "../model/http.ts";
import { parseAuthority } from "../wire/authority.ts";
import type { OwnAnswer } from "./own-answer.ts";

/** RFC 9728 section 3: put between the host and the path of the resource. */
export const RESOURCE_METADATA_PATH = "/.well-known/oauth-protected-resource";

const LIMITS = {
  /** Seconds that a client may keep a document: what it says changes with the configuration. */
  maxAge: 300,
} as const;

/** A route, as far as clients are told of it. */
export interface ProtectedRoute {
  readonly route: GateRoute;
  readonly host: string | undefined;
  /** Pattern. */
  readonly path: string;
  readonly options: ResourceOptions;
  /** What the resource is called where no name is given. */
  readonly name: string;
  /** Issuers whose tokens it takes; at least one. */
  readonly authorizationServers: readonly string[];
  /** Whether every token has to be bound to its sender. */
  readonly bound: boolean;
}

export interface ResourceListener {
  readonly name: string;
  readonly publicOrigin: string;
  /** Whether callers can show certificates, to which a token may be bound. */
  readonly certificates: boolean;
}

export interface ProtectedResources {
  /** Undefined where it is no address of a document. */
  answer(listener: string, head: RequestHead): OwnAnswer | undefined;
  /** Where the document of the route is, for a caller of this Host; undefined: there is none. */
  metadataUrl(listener: string, route: GateRoute, host: string | undefined): string | undefined;
}

/** What one or several routes say together. */
interface Resource {
  readonly host: string | undefined;
  /** Without a `/` at its end where it is the whole host: empty. */
  readonly path: string;
  readonly parts: readonly ProtectedRoute[];
}

export function createProtectedResources(
  routes: readonly ProtectedRoute[],
  {
    listeners,
    proofAlgorithms,
  }: {
    readonly listeners: readonly ResourceListener[];
    /** Empty: proofs cannot be checked here. */
    readonly proofAlgorithms: readonly string[];
  },
): ProtectedResources {
  const router = createDocuments(routes);
  const byName = new Map(listeners.map((listener) => [listener.name, listener]));
  const told = new Map(routes.map((one) => [one.route, one]));

  function answer(name: string, { method, target, host }: RequestHead) {
    if (!target.startsWith(RESOURCE_METADATA_PATH)) return undefined;
    const listener = byName.get(name);
    const asked = host === undefined ? undefined : parseAuthority(host)?.host;
    if (listener === undefined || asked === undefined) return undefined;
    const end = target.indexOf("?");
    const path = end === -1 ? target : target.slice(0, end);
    const resource = router.find(asked, path)?.method("GET");
    if (resource === undefined) return undefined;
    if (method === "OPTIONS") return PREFLIGHT;
    if (method !== "GET" && method !== "HEAD") return NOT_ALLOWED;
    const origin = originOf(listener, resource.host, asked);
    const body = `${JSON.stringify(document(resource, { origin, listener, proofAlgorithms }))}\n`;
    return { status: 200, fields: FIELDS, body };
  }

  return {
    answer,
    metadataUrl(name, route, host) {
      const listener = byName.get(name);
      const one = told.get(route);
      if (listener === undefined || one === undefined) return undefined;
      const asked = host === undefined ? undefined : parseAuthority(host)?.host;
      const origin = originOf(listener, one.host, asked);
      return `${origin}${RESOURCE_METADATA_PATH}${resourcePath(one.path)}`;
    },
  };
}

/** One document for each host and beginning of a path, and one for each host. */
function createDocuments(routes: readonly ProtectedRoute[]): Router<Resource> {
  const parts = new Map<string, { host: string | undefined; path: string; of: ProtectedRoute[] }>();
  for (const route of routes) {
    for (const path of new Set([resourcePath(route.path), ""])) {
      const key = `${route.host ?? ""} ${path}`;
      const found = parts.get(key);
      if (found === undefined) parts.set(key, { host: route.host, path, of: [route] });
      else found.of.push(route);
    }
  }
  const documents = [...parts.values()].map(({ host, path, of }) => ({
    name: path,
    host,
    path: `${RESOURCE_METADATA_PATH}${path}`,
    methods: undefined,
    value: { host, path, parts: of },
  }));
  return createRouter<Resource>(documents, ["GET"]);
}

/** The literal beginning of a pattern; empty for all of a host. */
export function resourcePath(pattern: string): string {
  const segments = pattern.split("/");
  const open = segments.findIndex((segment) => segment === "*" || segment.startsWith("{"));
  const path = (open === -1 ? segments : segments.slice(0, open)).join("/");
  // Section 3.1: no slash that ends the host.
  return path === "/" ? "" : path;
}

/** `asked` counts only where the route's host is a wildcard: then it was taken by that. */
function originOf(
  { publicOrigin }: ResourceListener,
  host: string | undefined,
  asked: string | undefined,
): string {
  if (host === undefined) return publicOrigin;
  const own = host.startsWith("*.") ? asked : host;
  const url = new URL(publicOrigin);
  if (own === undefined || own === url.hostname) return publicOrigin;
  return `${url.protocol}//${own}${url.port === "" ? "" : `:${url.port}`}`;
}

/** Section 2. */
function document(
  { path, parts }: Resource,
  {
    origin,
    listener,
    proofAlgorithms,
  }: {
    readonly origin: string;
    readonly listener: ResourceListener;
    readonly proofAlgorithms: readonly string[];
  },
): Readonly<Record<string, unknown>> {
  const options = parts.map((one) => one.options);
  const scopes = [...new Set(options.flatMap((one) => one.scopes ?? []))];
  const bound = parts.every((one) => one.bound);
  const proofs = proofAlgorithms.length > 0;
  return {
    resource: `${origin}${path}`,
    authorization_servers: [...new Set(parts.flatMap((one) => one.authorizationServers))],
    scopes_supported: scopes.length === 0 ? undefined : scopes,
    bearer_methods_supported: ["header"],
    resource_name: nameOf(parts),
    resource_documentation: options.find((one) => one.documentation)?.documentation,
    resource_policy_uri: options.find((one) => one.policy)?.policy,
    resource_tos_uri: options.find((one) => one.terms)?.terms,
    tls_client_certificate_bound_access_tokens: listener.certificates,
    dpop_signing_alg_values_supported: proofs ? proofAlgorithms : undefined,
    // Where tokens may be bound to a certificate instead, a proof is not always required.
    dpop_bound_access_tokens_required: bound && proofs && !listener.certificates,
  };
}

/** One that was given, or what all parts are called. */
function nameOf(parts: readonly ProtectedRoute[]): string | undefined {
  const given = parts.find(({ options }) => options.name !== undefined)?.options.name;
  if (given !== undefined) return given;
  const names = new Set(parts.map(({ name }) => name));
  return names.size === 1 ? [...names][0] : undefined;
}

/** No page of another origin is kept from what is public; MCP clients in browsers send a field of their own. */
const OPEN = ["access-control-allow-origin", "*"] as const;

const FIELDS: readonly string[] = Object.freeze([
  "content-type",
  "application/json",
  "cache-control",
  `public, max-age=${LIMITS.maxAge}`,
  ...OPEN,
]);

const PREFLIGHT: OwnAnswer = Object.freeze({
  status: 204,
  fields: Object.freeze([
    ...OPEN,
    "access-control-allow-methods",
    "GET, HEAD",
    "access-control-allow-headers",
    "*",
    "access-control-max-age",
    "3600",
  ]),
  body: "",
});

const NOT_ALLOWED: OwnAnswer = Object.freeze({
  status: 405,
  fields: Object.freeze(["allow", "GET, HEAD, OPTIONS"]),
  body: "",
});
