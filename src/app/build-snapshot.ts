/**
 * Turns a loaded configuration into what a request runs through. Everything that can be wrong is
 * found here, before anything is in force.
 */
import type { AdminSnapshots } from "../admin/admin-gate.ts";
import { apiDoors } from "../admin/admin-options.ts";
import type { TokenSnapshot } from "../authority/token/token-call.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import type { RouteOptions } from "../gate/route-options.ts";
import { createInspection } from "../gate/inspection.ts";
import { createRouter, pathParams } from "../gate/router.ts";
import type { GateRoute, GateSnapshot } from "../gate/snapshot.ts";
import type { Upstream } from "../http/exchange.ts";
import type { Records, RunningService } from "../http/running-services.ts";
import type { ServiceOptions as UpstreamOptions } from "../http/service-options.ts";
import { createUpstream } from "../http/service.ts";
import type { Endpoint } from "../http/endpoint.ts";
import { UpstreamTls, workloadParts } from "../http/upstream-tls.ts";
import { createChallenge } from "../identity/challenge.ts";
import { createDpopChallenge } from "../identity/dpop/dpop-challenge.ts";
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import { readSessionKeys } from "../identity/session/session-keys.ts";
import type { AssertionSigner } from "../model/assertion.ts";
import type { WorkloadPart, WorkloadSource } from "../identity/spiffe/workload-source.ts";
import { ConfigError } from "../model/errors.ts";
import type { Policies, ShadowPolicies } from "../model/policy.ts";
import { METHODS } from "../model/vocabulary.ts";
import { readFileBytes } from "../platform/files.ts";
import { compileVerified, type VerifiedPolicies } from "../policy/compile-policies.ts";
import { createShadowPolicies } from "../policy/decide/shadow-policies.ts";
import type { ForwardRoute } from "../proxy/forward-route.ts";
import type { LoginSnapshot } from "../proxy/login-call.ts";
import type { ProxySnapshot, RedirectRoute } from "../proxy/handler.ts";
import { stripIdentityFields } from "../wire/identity-fields.ts";
import {
  type Authenticators,
  certificatesOf,
  createAuthenticators,
  createWays,
  loginsOf,
  once,
  type Ways,
} from "./authenticators.ts";
import { NOBODY_SIGNS } from "./assertion-signing.ts";
import { buildResources } from "./build-resources.ts";
import { describedRoute, operationRouters } from "./build-operations.ts";
import { buildRoute } from "./build-route.ts";
import type { Instruments } from "./instruments.ts";
import type { Prepared } from "./prepare.ts";
import { createProofs } from "./proofs.ts";
import { tokenSnapshot } from "./build-tokens.ts";

/** A snapshot with what it holds open. */
export interface RunningSnapshot extends ProxySnapshot {
  /** `sha256-…` of the configuration that it was made from. */
  readonly configHash: string;
  /** What calls to the admin API are decided by; undefined where nobody can call it. */
  readonly admin: AdminSnapshots | undefined;
  /** Who can get keys; undefined where nobody can here. */
  readonly tokens: TokenSnapshot | undefined;
  /** How the authenticators do now, by name. */
  authenticators(): Authenticators;
  /** Fetches the first keys and addresses. Resolves after the first try of each; never rejects. */
  start(): Promise<void>;
  /** Stops fetching keys and closes idle connections to services. */
  close(): void;
}

/** Throws ConfigError with every problem. */
export async function buildSnapshot(
  { loaded, policies, shadow }: Prepared,
  instruments: Instruments,
  signing: AssertionSigner = NOBODY_SIGNS,
): Promise<RunningSnapshot> {
  const { config } = loaded;
  const enforced = await compile(policies, loaded, instruments);
  const candidate = await compileShadow(shadow, loaded, instruments);
  const adminSnapshots = await loadAdminSnapshots(config);
  const routers = await operationRouters(loaded.descriptions, instruments.clock);
  const sessionKeys = await readSessionKeys(config.authenticators, {
    env: process.env,
    timers: instruments.timers,
    made: instruments.sessionKey,
  });
  const workload = openWorkloadApi(config, instruments);
  const authenticators = await createAuthenticators(config.authenticators, instruments, {
    sessionKeys,
    workload,
    vocabulary: loaded.vocabulary.authenticators,
  }).catch((error: unknown) => {
    workload?.close();
    throw error;
  });
  const closeAuthenticators = (): void => {
    for (const authenticator of authenticators.values()) authenticator.close();
    workload?.close();
  };
  const upstreams = orClose(
    () => createUpstreams(config.services, { instruments, workload }),
    closeAuthenticators,
  );
  const waysOf = createWays(authenticators, instruments);
  const challenges = once(([service = ""]) => createChallenge(service));
  const deps = { config, upstreams, challenges, instruments, signing };
  const forwards = new Map<GateRoute, ForwardRoute | RedirectRoute>();
  const close = (): void => {
    closeAuthenticators();
    for (const upstream of upstreams.values()) upstream.close();
  };
  const wanted = usedParts(config);
  const logins = loginsOf(authenticators);
  const proofs = createProofs(config, instruments);
  const build = (options: RouteOptions) => {
    const limits = instruments.limits.routeLimits(options, config.limits.rates);
    const described = describedRoute(options, { config, routers });
    const value = { ...gateRoute(options, waysOf(options.authenticate), limits), described };
    forwards.set(value, buildRoute(options, deps));
    const { name, host, path, methods } = options;
    return { name, host, path, methods, value, options };
  };
  const routes = orClose(() => config.routes.map(build), close);
  return {
    configHash: loaded.hash,
    admin: orClose(
      () => adminSnapshots?.({ policies: enforced, shadow: candidate }, waysOf),
      close,
    ),
    authenticators: () => authenticators,
    gate: {
      router: createRouter(routes, METHODS),
      anyPathParameters: config.routes.some((route) => route.pathParameters === "allow"),
      policies: enforced,
      shadow: candidate,
      certificates: certificatesOf(authenticators),
      proofs,
      origins: publicOrigins(config),
    },
    forwards,
    resources: buildResources(config, routes),
    proofs: {
      challenge: createDpopChallenge(config.dpop.algorithms),
      listeners: new Set(publicOrigins(config).keys()),
    },
    tokens: orClose(() => tokenSnapshot(loaded, { waysOf, proofs, log: instruments.log }), close),
    wellKnown: serving(config, "well-known"),
    logins: loginSnapshot(config, forwards.keys(), logins),
    async start() {
      // Without a listener (an authority alone) nothing is forwarded, and nobody's health is asked after.
      const reached = config.listeners.length === 0 ? [] : [...upstreams.values()];
      const parts = [...authenticators.values(), ...reached];
      await Promise.all([
        ...parts.map((one) => one.start()),
        ...wanted.map((part) => workload?.want(part)),
      ]);
    },
    close,
  };
}

/** Throws ConfigError. */
async function compile(
  verified: VerifiedPolicies,
  { vocabulary }: Pick<LoadedConfig, "vocabulary">,
  { clock, log }: Pick<Instruments, "clock" | "log">,
): Promise<Policies> {
  const compiled = await compileVerified(verified, vocabulary, { clock });
  if (compiled.problems !== undefined) throw new ConfigError(compiled.problems);
  for (const { message, remedy } of compiled.warnings) {
    log.warn("policies", { finding: message, remedy });
  }
  return compiled.policies;
}

async function compileShadow(
  verified: VerifiedPolicies | undefined,
  loaded: LoadedConfig,
  instruments: Instruments,
): Promise<ShadowPolicies | undefined> {
  if (verified === undefined) return undefined;
  const candidate = await compile(verified, loaded, instruments);
  const { hash } = candidate;
  instruments.log.info("candidate policies are asked beside those in force", { shadow: hash });
  return createShadowPolicies(candidate);
}

/** The client of the agent; undefined where there is none. It asks for nothing yet. */
export function openWorkloadApi(
  { workloadApi }: Pick<Config, "workloadApi">,
  { workloadApis }: Pick<Instruments, "workloadApis">,
): WorkloadSource | undefined {
  return workloadApi === undefined ? undefined : workloadApis.open(workloadApi);
}

/** What services use of it. */
function usedParts({ services }: Config): readonly WorkloadPart[] {
  const parts = Object.values(services).flatMap(({ tls }) =>
    tls === undefined ? [] : [...workloadParts(tls)],
  );
  return [...new Set(parts)];
}

/** Returns what makes them, loaded only where there is an API to call. */
async function loadAdminSnapshots({ admin }: Config): Promise<AdminSnapshotsOf | undefined> {
  if (admin === undefined || apiDoors(admin).size === 0) return undefined;
  const { authenticate = [], audience } = admin;
  const { createAdminSnapshots } = await import("../admin/admin-gate.ts");
  return (decided, waysOf) => {
    const { bearer, further } = waysOf(authenticate);
    const uid = process.getuid?.() ?? 0;
    return createAdminSnapshots({ ...decided, bearer, further, audience, uid });
  };
}

type AdminSnapshotsOf = (
  decided: Pick<GateSnapshot, "policies" | "shadow">,
  waysOf: (names: readonly string[]) => Ways,
) => AdminSnapshots;

function serving({ listeners }: Config, what: "well-known" | "login"): ReadonlySet<string> {
  return new Set(listeners.filter(({ serve }) => serve.includes(what)).map(({ name }) => name));
}

/** Undefined where nobody can log in: then no request pays for it. */
function loginSnapshot(
  config: Config,
  routes: Iterable<GateRoute>,
  { byName, named }: ReturnType<typeof loginsOf>,
): LoginSnapshot | undefined {
  const listeners = serving(config, "login");
  if (listeners.size === 0 || byName.size === 0) return undefined;
  const names = new Map(config.routes.map(({ name, authenticate }) => [name, authenticate]));
  const byRoute = new Map<GateRoute, readonly LoginAuthenticator[]>();
  for (const route of routes) {
    const logins = named(names.get(route.name) ?? []);
    if (logins.length > 0) byRoute.set(route, logins);
  }
  return { listeners, byName, byRoute };
}

/** As callers know each listener: what a proof or a page has to be of. */
function publicOrigins({ listeners }: Config): ReadonlyMap<string, string> {
  return new Map(
    listeners.flatMap(({ name, publicOrigin }) =>
      publicOrigin === undefined ? [] : [[name, publicOrigin]],
    ),
  );
}

/** A reload that fails must not keep what it had opened. */
function orClose<T>(make: () => T, close: () => void): T {
  try {
    return make();
  } catch (error) {
    close();
    throw error;
  }
}

/** What `https:` endpoints are reached by; undefined for a service that has none. */
function createUpstreamTls(
  name: string,
  { endpoints, tls }: UpstreamOptions,
  { clock, timers, log, metrics, workload }: Reaching,
): UpstreamTls | undefined {
  if (!endpoints.some(({ secure }) => secure === true)) return undefined;
  const deps = { clock, timers, log, metrics, workload, readFile: readFileBytes };
  return new UpstreamTls(name, tls ?? { insecureSkipVerify: false }, deps);
}

/** Certificates are looked after for as long as their service, which may outlive a configuration. */
function closingBoth(upstream: RunningService, tls: UpstreamTls): RunningService {
  return {
    forward: (exchange, request, observer) => upstream.forward(exchange, request, observer),
    start: () => upstream.start(),
    records: () => upstream.records(),
    close() {
      upstream.close();
      tls.close();
    },
  };
}

type Reaching = Pick<Instruments, "clock" | "timers" | "log" | "metrics"> & {
  readonly workload: WorkloadSource | undefined;
};

function createUpstreams(
  services: Config["services"],
  around: { readonly instruments: Instruments; readonly workload: WorkloadSource | undefined },
): Map<string, Upstream> {
  const made = new Map<string, Upstream>();
  try {
    for (const [name, service] of Object.entries(services)) {
      // What policies know of it, and what it is told, changes nothing about how it is reached.
      const {
        attributes: _a,
        assertion: _b,
        identityFields: _c,
        resource: _d,
        openapi: _e,
        openapiValidation: _f,
        descriptors: _g,
        ...options
      } = service;
      made.set(name, openService(name, options, around));
    }
  } catch (error) {
    for (const upstream of made.values()) upstream.close();
    throw error;
  }
  return made;
}

/** The way to a service; one that is configured as before is the one that is open. `name`: in metrics and logs. */
export function openService(
  name: string,
  options: UpstreamOptions,
  {
    instruments,
    workload,
  }: { readonly instruments: Instruments; readonly workload: WorkloadSource | undefined },
): Upstream {
  const { clock, timers, deadlines, log, upstreams, resolver, services: running } = instruments;
  const deps = {
    clock,
    timers,
    deadlines,
    log,
    resolver,
    requestTrailers: stripIdentityFields,
    responseTrailers: stripIdentityFields,
  };
  const metrics = upstreams.service(name);
  return running.open(name, options, (records: Records) => {
    const tls = createUpstreamTls(name, options, { ...instruments, workload });
    const opening = tls === undefined ? {} : { openSocket: (to: Endpoint) => tls.open(to) };
    const upstream = createUpstream(options, { ...deps, ...opening, name, metrics, records });
    return tls === undefined ? upstream : closingBoth(upstream, tls);
  });
}

function gateRoute(options: RouteOptions, ways: Ways, limits: GateRoute["limits"]): GateRoute {
  return {
    name: options.name,
    path: options.path,
    service: options.service,
    ...ways,
    confirmation: options.confirmation,
    audience: options.audience,
    namesHost: options.host !== undefined,
    params: pathParams(options.path),
    pathParameters: options.pathParameters === "allow",
    limits,
    cost: options.cost ?? 1,
    inspect:
      options.inspect === undefined
        ? undefined
        : createInspection(options.inspect, options.limits.bodyBytes),
    cors: options.cors !== undefined,
    websocket: options.upgrades.includes("websocket"),
  };
}
