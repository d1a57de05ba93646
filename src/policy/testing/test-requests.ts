/**
 * Requests as test files write them, as the question that the gate would ask of policies: host and path
 * are canonical, and the route is the one that the router finds.
 *
 * Refused: what could never reach policies in that way (a path of two readings, a method that is not
 * known, fields in which only the proxy speaks, a route that does not take such a caller), because a case
 * about it would show nothing.
 */
import type { Actor } from "../../model/facts.ts";
import type { Authn, PolicyRequest } from "../../model/policy.ts";
import { ADMIN_ROUTE } from "../../model/admin-operations.ts";
import { ISSUE_KEY_ACTION } from "../../model/issued-keys.ts";
import type { Principal } from "../../model/principal.ts";
import { suggest } from "../../model/suggest.ts";
import { METHODS } from "../../model/vocabulary.ts";
import { normalizeAddress } from "../../wire/address.ts";
import { parseAuthority } from "../../wire/authority.ts";
import type { Path } from "../../wire/document/place.ts";
import { checkFieldName, checkFieldValue } from "../../wire/field-text.ts";
import { isIdentityName } from "../../wire/identity-fields.ts";
import { canonicalPath, isPathFault, splitTarget } from "../../wire/path.ts";
import { ADMIN_ACTIONS } from "../cedar-names.ts";
import { isBodyProblem, readBodies } from "./test-bodies.ts";
import { isKeyProblem, readKey } from "./test-keys.ts";
import { type Layer, type Layered, layered } from "./layers.ts";
import { TEST_LIMITS, type WrittenPrincipal, type WrittenRequest } from "./test-format.ts";
import type { PrincipalReader, Report } from "./test-principals.ts";
import { type FoundRoute, isRouteFault, type RouteFault, type TestWorld } from "./test-world.ts";

/** What a request says where a case does not: fixed, so that a case means the same on every day. */
export const REQUEST_DEFAULTS = {
  method: "GET",
  host: "localhost",
  /** An address that is nobody's (RFC 5737). */
  ip: "192.0.2.1",
  /** A Thursday at noon. */
  time: "2026-01-01T12:00:00Z",
} as const;

const ANONYMOUS_NAME = "anonymous";

/** Whether such a caller gets as far as to policies, where these are known. */
export function takes(
  authenticate: readonly string[],
  { kind, authenticator }: Principal,
): boolean {
  return authenticate.includes(kind === "anonymous" ? ANONYMOUS_NAME : authenticator);
}

/** What is asked, or why nothing is: the router refuses it before policies are asked. */
export interface Asked {
  readonly request: PolicyRequest | undefined;
  readonly refused: "no-route" | "method-not-allowed" | "unknown-operation" | undefined;
  /** The route that was found; undefined for the admin API, and where there is none. */
  readonly route: string | undefined;
  /** Who gets as far as to policies there; undefined where nobody was found that takes it. */
  readonly authenticate: readonly string[] | undefined;
}

export interface RequestContext {
  readonly world: TestWorld;
  readonly principals: PrincipalReader;
  readonly named: Readonly<Record<string, WrittenRequest>>;
  readonly defaults: WrittenRequest | undefined;
}

export interface RequestAt {
  readonly written: WrittenRequest | string;
  /** Where it stands, or the case, where it says nothing of a request. */
  readonly path: Path;
  readonly principal: Principal;
  readonly report: Report;
}

/** Undefined where something is wrong with it, which is reported then. */
export function readRequest(at: RequestAt, context: RequestContext): Asked | undefined {
  const layers = requestLayers(at, context);
  if (layers === undefined) return undefined;
  const reader = new RequestReader(layered(layers, at.path), at, context);
  return reader.read();
}

function requestLayers(
  { written, path, report }: RequestAt,
  { named, defaults }: RequestContext,
): readonly Layer<WrittenRequest>[] | undefined {
  const layers: Layer<WrittenRequest>[] = [];
  let value: WrittenRequest | string | undefined = written;
  let at = path;
  for (let step = 0; value !== undefined; step++) {
    if (step > TEST_LIMITS.like) {
      report(path, '"like" leads back to itself', "an end to the chain");
      return undefined;
    }
    if (typeof value === "string") {
      if (!Object.hasOwn(named, value)) {
        const names = Object.keys(named);
        const all =
          names.length === 0 ? "a mapping with method and path" : `one of ${names.join(", ")}`;
        const close = suggest(value, names);
        const remedy = close === undefined ? all : `did you mean "${close}"?`;
        report(at, `there is no request "${value}"`, remedy);
        return undefined;
      }
      [at, value] = [["requests", value], named[value] as WrittenRequest];
    } else {
      layers.push({ value, path: at });
      [at, value] = [[...at, "like"], value.like];
    }
  }
  if (defaults !== undefined) layers.push({ value: defaults, path: ["defaults", "request"] });
  return layers;
}

interface Target {
  readonly host: string;
  readonly path: string;
  readonly query: string | undefined;
}

class RequestReader {
  readonly #whole: Layered<WrittenRequest>;
  readonly #at: RequestAt;
  readonly #context: RequestContext;
  #faults = 0;

  constructor(whole: Layered<WrittenRequest>, at: RequestAt, context: RequestContext) {
    this.#whole = whole;
    this.#at = at;
    this.#context = context;
  }

  read(): Asked | undefined {
    const { value } = this.#whole;
    if (value.action === ISSUE_KEY_ACTION) return this.#key();
    for (const key of ["service", "key"] as const) {
      if (value[key] === undefined || this.#whole.pathOf(key)[0] === "defaults") continue;
      const remedy = `action: ${ISSUE_KEY_ACTION}, or none`;
      return this.#report(key, `"${key}" is of a key that is asked for`, remedy);
    }
    const method = this.#method();
    const rest = this.#rest();
    if (value.action !== undefined) {
      const admin = this.#admin(value.action, method);
      if (admin === undefined || rest === undefined) return undefined;
      const { admin: authenticate } = this.#context.world;
      return { request: { ...rest, ...admin }, refused: undefined, route: undefined, authenticate };
    }
    const target = this.#target();
    if (method === undefined || rest === undefined || target === undefined) return undefined;
    const found = this.#context.world.routing.find({ method, ...target });
    if (isRouteFault(found)) return this.#refused(found, { method, target });
    if (!this.#fits(found)) return undefined;
    const { route, params, authenticate, action = method, servicePath } = found;
    const seen = this.#bodies(route);
    if (seen === undefined) return undefined;
    const sent = servicePath === undefined ? {} : { servicePath };
    const place = { ...target, ...sent, action, method, route, params };
    const request = { ...rest, ...seen, ...place };
    return { request, refused: undefined, route, authenticate };
  }

  #report(
    key: keyof WrittenRequest,
    message: string,
    remedy: string,
    further: Path = [],
  ): undefined {
    this.#faults += 1;
    this.#at.report([...this.#whole.pathOf(key), ...further], message, remedy);
  }

  #method(): string | undefined {
    const { method = REQUEST_DEFAULTS.method } = this.#whole.value;
    if (METHODS.includes(method)) return method;
    const close = suggest(method, METHODS);
    const remedy =
      close === undefined ? `one of ${METHODS.join(", ")}` : `did you mean "${close}"?`;
    return this.#report("method", `"${method}" is no method that policies know`, remedy);
  }

  /** A key is for a service, and no route leads to it. */
  #key(): Asked | undefined {
    const rest = this.#rest();
    const { world } = this.#context;
    const { value, pathOf } = this.#whole;
    const isOwn = (key: keyof WrittenRequest): boolean => pathOf(key)[0] !== "defaults";
    const asked = readKey(value, { principal: this.#at.principal, world, isOwn });
    if (isKeyProblem(asked)) {
      return this.#report(asked.key, asked.message, asked.remedy, asked.further);
    }
    if (rest === undefined) return undefined;
    // Who may come to the token endpoint is no matter of policies.
    const unknown = { refused: undefined, route: undefined, authenticate: undefined };
    return { request: { ...rest, ...asked, fields: [] }, ...unknown };
  }

  /** Of the admin API there is no router: all of it is one resource. */
  #admin(
    action: string,
    method: string | undefined,
  ):
    | Pick<PolicyRequest, "action" | "route" | "path" | "host" | "method" | "params" | "query">
    | undefined {
    const { value } = this.#whole;
    const ids = ADMIN_ACTIONS.map(({ id }) => id);
    if (!ids.includes(action)) {
      const close = suggest(action, [...ids, ISSUE_KEY_ACTION]);
      const remedy =
        close !== undefined
          ? `did you mean "${close}"?`
          : METHODS.includes(action)
            ? `method: ${action}`
            : `${ISSUE_KEY_ACTION}, or an action of the admin API, such as admin:getStatus`;
      return this.#report("action", `there is no action "${action}"`, remedy);
    }
    for (const key of ["route", "url"] as const) {
      if (value[key] === undefined) continue;
      return this.#report(
        key,
        `an action of the admin API has no ${key}`,
        "path and host, if anything",
      );
    }
    const { admin } = this.#context.world;
    if (admin === undefined) {
      const remedy = "admin.authenticate in the configuration";
      return this.#report("action", "nobody is known on the admin API", remedy);
    }
    if (method === undefined) return undefined;
    const { host = REQUEST_DEFAULTS.host, path = "/", params = {} } = value;
    return { action, route: ADMIN_ROUTE, path, host, method, params, query: this.#query() };
  }

  #target(): Target | undefined {
    const { value } = this.#whole;
    if (value.url !== undefined) return this.#url(value.url);
    const written = value.path ?? this.#pathOfRoute();
    const host = this.#host();
    if (written === undefined || host === undefined) return undefined;
    if (written.includes("?")) {
      return this.#report("path", "a path has no query", 'query: "…", or a url');
    }
    const path = this.#canonical("path", written);
    return path === undefined ? undefined : { host, path, query: this.#query() };
  }

  #url(url: string): Target | undefined {
    const { value, pathOf } = this.#whole;
    for (const key of ["host", "path", "query", "params"] as const) {
      // What the defaults say is not meant where a case says it all.
      if (value[key] === undefined || pathOf(key)[0] === "defaults") continue;
      return this.#report(key, `"${key}" stands beside a url, which says it`, "one of the two");
    }
    const authority = /^https?:\/\/([^/?#]*)/.exec(url)?.[1] ?? "";
    const split = splitTarget(url, authority);
    if (isPathFault(split) || parseAuthority(authority) === undefined) {
      return this.#report("url", `"${url}" is no address`, "https://host/path?query");
    }
    const path = this.#canonical("url", split.path);
    const { host = "" } = parseAuthority(authority) ?? {};
    return path === undefined ? undefined : { host, path, query: split.query };
  }

  #canonical(key: "path" | "url", written: string): string | undefined {
    const path = canonicalPath(written, { pathParameters: "allow" });
    if (!isPathFault(path)) return path.path;
    const remedy = "a path that is answered otherwise than 400 ambiguous-path";
    return this.#report(key, `the path cannot be used: ${path.detail}`, remedy);
  }

  #host(): string | undefined {
    const { value, pathOf } = this.#whole;
    const route =
      value.route === undefined ? undefined : this.#context.world.routing.pattern(value.route);
    // The route's own goes before what the file says for all.
    const own =
      value.host === undefined || pathOf("host")[0] === "defaults" ? route?.host : undefined;
    const written = own ?? value.host ?? REQUEST_DEFAULTS.host;
    if (written.startsWith("*")) {
      const remedy = `host: one that ends in ${written.slice(1)}`;
      return this.#report("route", `the route's host is ${written}`, remedy);
    }
    const host = parseAuthority(written)?.host;
    if (host !== undefined) return host;
    return this.#report("host", `"${written}" is no host`, "a name such as api.example.com");
  }

  /** Of a route that is named, with its placeholders filled in. */
  #pathOfRoute(): string | undefined {
    const { value } = this.#whole;
    const { routing } = this.#context.world;
    const { route, params = {} } = value;
    if (route === undefined) {
      return this.#report("path", "the request has no path", "path, url, or the name of a route");
    }
    const pattern = routing.pattern(route);
    if (pattern === undefined) return this.#unknownRoute(route);
    const used = new Set<string>();
    const path = pattern.path.replace(/\*$/, "").replace(/\{([^/}]*)\}/g, (_, name: string) => {
      used.add(name);
      const given = Object.hasOwn(params, name) ? params[name] : undefined;
      if (given !== undefined && given !== "") return encodeURIComponent(given);
      this.#report(
        value.params === undefined ? "route" : "params",
        `the route's {${name}} has no value`,
        `params: { ${name}: … }`,
      );
      return "x";
    });
    for (const name of Object.keys(params)) {
      if (used.has(name)) continue;
      this.#report("params", `the route has no {${name}}`, [...used].join(", ") || "none", [name]);
    }
    return this.#faults > 0 ? undefined : path;
  }

  #unknownRoute(route: string): undefined {
    const { names } = this.#context.world.routing;
    const close = suggest(route, names);
    const remedy =
      close === undefined ? `one of ${names.slice(0, 10).join(", ")}` : `did you mean "${close}"?`;
    return this.#report("route", `there is no route "${route}"`, remedy);
  }

  #refused(
    { fault }: RouteFault,
    { method, target }: { readonly method: string; readonly target: Target },
  ): Asked | undefined {
    if (fault === "ambiguous-path") {
      const remedy = "pathParameters: allow on the route, or another path";
      return this.#report("path", "the route does not allow ';' in the path", remedy);
    }
    const named = this.#whole.value.route;
    if (named !== undefined && fault === "no-route") {
      const message = `the router finds no route for ${method} ${target.host}${target.path}`;
      return this.#report("route", message, `a request that "${named}" is for`);
    }
    return { request: undefined, refused: fault, route: undefined, authenticate: undefined };
  }

  #fits({ route }: FoundRoute): boolean {
    const { route: named, params, path } = this.#whole.value;
    if (named !== undefined && named !== route) {
      this.#report("route", `the router finds the route "${route}"`, `route: ${route}, or none`);
      return false;
    }
    if (params !== undefined && (named === undefined || path !== undefined)) {
      this.#report(
        "params",
        "params are taken from the path",
        "no params, or a route without path",
      );
      return false;
    }
    return true;
  }

  #query(): string | undefined {
    const { query } = this.#whole.value;
    if (query === undefined) return undefined;
    if (typeof query === "string") {
      if (!isPathFault(splitTarget(`/?${query}`, undefined)) && !query.includes("#")) return query;
      const remedy = "visible ASCII as in an address, or a mapping of names to values";
      return this.#report("query", "the query cannot be sent like this", remedy);
    }
    return Object.entries(query)
      .flatMap(([name, values]) => [values].flat().map((value) => [name, value] as const))
      .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
      .join("&");
  }

  /** All that does not come from the target; undefined where something of it is wrong. */
  #rest():
    | Omit<PolicyRequest, "action" | "route" | "path" | "host" | "method" | "params" | "query">
    | undefined {
    const { value } = this.#whole;
    const { principal } = this.#at;
    const before = this.#faults;
    const rest = {
      principal,
      fields: this.#fields(),
      ip: this.#ip(),
      timeMs: this.#time(),
      scopes: value.scopes ?? [],
      authn: this.#authn(),
      workload: this.#beside("workload", value.workload),
      device: this.#beside("device", value.device),
      actor: this.#actor(),
    };
    return this.#faults > before ? undefined : rest;
  }

  /** What policies see of the body, if the case says that there is one. */
  #bodies(route: string): Pick<PolicyRequest, "body" | "rpc"> | undefined {
    const { routes } = this.#context.world.vocabulary;
    const read = readBodies(this.#whole.value, routes.find(({ name }) => name === route)?.inspect);
    if (!isBodyProblem(read)) return read;
    return this.#report(read.key, read.message, read.remedy, read.further);
  }

  #fields(): string[] {
    const fields: string[] = [];
    for (const [written, values] of Object.entries(this.#whole.value.headers ?? {})) {
      const name = written.toLowerCase();
      const list = [values].flat();
      if (!checkFieldName(name) || !list.every(checkFieldValue)) {
        this.#report("headers", `"${written}" is no field that can be sent`, "name: value", [
          written,
        ]);
      } else if (isIdentityName(name)) {
        const message = `"${written}" of a caller is dropped before policies are asked`;
        this.#report("headers", message, "no such field", [written]);
      }
      for (const one of list) fields.push(name, one);
    }
    return fields;
  }

  #ip(): string {
    const { ip = REQUEST_DEFAULTS.ip } = this.#whole.value;
    const address = normalizeAddress(ip);
    if (address === undefined)
      this.#report("ip", `"${ip}" is no address`, "such as 192.0.2.1 or 2001:db8::1");
    return address ?? "";
  }

  #time(): number {
    const { time = REQUEST_DEFAULTS.time } = this.#whole.value;
    const timeMs = TIME.test(time) ? Date.parse(time) : Number.NaN;
    if (!Number.isNaN(timeMs)) return timeMs;
    this.#report("time", `"${time}" is no time`, "such as 2026-01-05T10:00:00Z or …+01:00");
    return 0;
  }

  #authn(): Authn {
    const { authn = {} } = this.#whole.value;
    const { kind, authenticator } = this.#at.principal;
    if (kind === "anonymous") {
      if (Object.keys(authn).length > 0) {
        this.#report("authn", "Anonymous has not authenticated", "no authn, or another principal");
      }
      return {
        kind: "none",
        authenticator: "",
        ageSeconds: 0,
        acr: undefined,
        amr: [],
        bound: false,
      };
    }
    const type = this.#context.world.authenticatorType(authenticator);
    return {
      kind: authn.kind ?? type ?? "",
      authenticator,
      ageSeconds: authn.age ?? 0,
      acr: authn.acr,
      amr: authn.amr ?? [],
      // A certificate is proven by its handshake.
      bound: authn.bound ?? type === "mtls",
    };
  }

  #beside(
    key: "workload" | "device",
    written: WrittenPrincipal | undefined,
  ): Principal | undefined {
    if (written === undefined) return undefined;
    const path = this.#whole.pathOf(key);
    const found = this.#context.principals.read(written, path, (at, message, remedy) => {
      this.#faults += 1;
      this.#at.report(at, message, remedy);
    });
    if (found === undefined || found.kind === key) return found;
    const type = key === "workload" ? "Workload" : "Device";
    return this.#report(key, `the ${key} is no ${type}`, `${type}::"<authenticator>/<subject>"`);
  }

  #actor(): Actor | undefined {
    const { actor } = this.#whole.value;
    if (actor === undefined) return undefined;
    const slash = actor.id.indexOf("/");
    const authenticator = actor.id.slice(0, Math.max(0, slash));
    if (this.#context.world.authenticatorType(authenticator) === undefined) {
      this.#report("actor", `"${actor.id}" names nobody`, "<authenticator>/<subject>", ["id"]);
    }
    return {
      authenticator,
      subject: actor.id.slice(slash + 1),
      issuer: actor.issuer,
      clientId: actor.clientId,
      behind: actor.behind ?? [],
    };
  }
}

/** RFC 3339, with an offset: a time without one is another on another machine. */
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/;
