/** Turns the options of a route into what a permitted request runs through. */
import type { Config } from "../config/schema.ts";
import {
  type CredentialsOptions,
  credentialField,
  credentialValue,
  secretFileOf,
} from "../gate/credential-options.ts";
import { ofRouteOrService } from "../gate/identity-options.ts";
import { ANONYMOUS_NAME, type RouteOptions } from "../gate/route-options.ts";
import type { Upstream } from "../http/exchange.ts";
import type { Challenge } from "../identity/challenge.ts";
import type { AssertionSigner } from "../model/assertion.ts";
import { ConfigError } from "../model/errors.ts";
import { METHODS } from "../model/vocabulary.ts";
import { readFileBytes } from "../platform/files.ts";
import { createCors, isCorsField } from "../proxy/cors.ts";
import { createBodyRules, DIGEST_FIELDS, forWholeAnswers } from "../proxy/body-rules.ts";
import { createTrailers } from "../proxy/field-names.ts";
import type { ForwardRoute } from "../proxy/forward-route.ts";
import type { RedirectRoute } from "../proxy/handler.ts";
import { createIdentityFields } from "../proxy/identity-fields.ts";
import { createHashKey } from "../proxy/hash-key.ts";
import { type ForwardPlan, type HeaderRules, headerRules } from "../proxy/plan.ts";
import { createPrepare } from "../proxy/prepare.ts";
import { createRedirect } from "../proxy/redirect.ts";
import { createRequestFields } from "../proxy/request-fields.ts";
import { createResponseFields } from "../proxy/response-fields.ts";
import { createPathRewrite } from "../proxy/rewrite.ts";
import { TRACERESPONSE } from "../telemetry/traces/request-trace.ts";
import type { Instruments } from "./instruments.ts";

export interface RouteDeps {
  readonly config: Config;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly challenges: (realm: readonly string[]) => Challenge;
  readonly instruments: Instruments;
  readonly signing: AssertionSigner;
}

/** Throws ConfigError where a secret file cannot be used any more. */
export function buildRoute(options: RouteOptions, deps: RouteDeps): ForwardRoute | RedirectRoute {
  return options.redirect === undefined
    ? forwardRoute(options, deps)
    : redirectRoute(options, options.redirect, deps);
}

function forwardRoute(options: RouteOptions, deps: RouteDeps): ForwardRoute {
  const plan = createPlan(options, deps);
  return {
    plan,
    ...answers(options, plan, deps),
    requestFields: createRequestFields(plan, deps.instruments.newTraceparent),
    bodies: createBodyRules(options.request?.body, options.response?.body),
    requestTrailers: createTrailers(plan.request),
    responseTrailers: createTrailers(plan.response),
  };
}

function redirectRoute(
  options: RouteOptions,
  redirect: NonNullable<RouteOptions["redirect"]>,
  deps: RouteDeps,
): RedirectRoute {
  const open = options.authenticate.every((name) => name === ANONYMOUS_NAME);
  const { path } = options;
  const response = headerRules(options.response?.headers);
  return {
    ...answers(options, { request: headerRules(), response }, deps),
    redirect: createRedirect(redirect, {
      path,
      pathParameters: options.pathParameters === "allow",
      schemes: publicSchemes(deps.config),
    }),
    caching: open ? [] : ["cache-control", "no-store"],
  };
}

function publicSchemes({ listeners }: Config): ReadonlyMap<string, string> {
  return new Map(
    listeners.flatMap(({ name, publicOrigin }) =>
      publicOrigin === undefined ? [] : [[name, new URL(publicOrigin).protocol.slice(0, -1)]],
    ),
  );
}

/** What redirects and forwards have in common. */
function answers(
  options: RouteOptions,
  { request, response }: Pick<ForwardPlan, "request" | "response">,
  { challenges, config }: RouteDeps,
): Pick<ForwardRoute, "challenge" | "cors" | "responseFields" | "prepare"> {
  const { cors, methods = METHODS } = options;
  // What we write beside `sallyport-decision`; a service does not say it in our place.
  const told = config.tracing === undefined ? [] : [TRACERESPONSE];
  return {
    challenge: challenges([options.service ?? options.name]),
    cors: cors === undefined ? undefined : createCors(cors, methods, told),
    responseFields: createResponseFields(response, {
      isTaken: takenNames(cors !== undefined, told),
      ownCookies: hasSessions(config),
    }),
    prepare: createPrepare({ request, response, query: options.request?.query }),
  };
}

/** Undefined: none, which keeps the usual way short. */
function takenNames(
  cors: boolean,
  told: readonly string[],
): ((name: string) => boolean) | undefined {
  if (told.length === 0) return cors ? isCorsField : undefined;
  return (name) => told.includes(name) || (cors && isCorsField(name));
}

function createPlan(
  options: RouteOptions,
  { config, upstreams, instruments, signing }: RouteDeps,
): ForwardPlan {
  const name = options.service ?? "";
  const service = config.services[name];
  const upstream = upstreams.get(name);
  if (service === undefined || upstream === undefined) {
    throw new TypeError("a service that is not there");
  }
  const pathParameters = options.pathParameters === "allow";
  return {
    upstream,
    hashKey: service.hash === undefined ? undefined : createHashKey(service.hash),
    rewrite: createPathRewrite(options.rewrite, options.path, pathParameters),
    host: options.rewrite?.host,
    request: withoutKeys(requestRules(options), options, config),
    identity: createIdentityFields(
      {
        service: name,
        assertion: ofRouteOrService(options.assertion, service.assertion),
        plain: ofRouteOrService(options.identityFields, service.identityFields),
      },
      { ...instruments, cache: instruments.identities, signer: signing },
    ),
    response: responseRules(options),
    forwardCredentials: options.credentials === "forward",
    ownCookies: hasSessions(config),
    connectTimeoutMs: options.connectTimeout ?? service.connectTimeout,
    responseTimeoutMs: options.responseTimeout,
    totalTimeoutMs: options.timeout,
    idleTimeoutMs: options.idleTimeout,
    lifetimeMs: options.lifetime,
    maxBodyBytes: options.limits.bodyBytes,
  };
}

/** A cookie of this host comes with every request to it, whatever its route asks for. */
function hasSessions({ authenticators }: Config): boolean {
  return Object.values(authenticators).some(({ type }) => type === "oidc");
}

/**
 * Fields in which API keys come go no further, on routes that do not take them either: a key that was
 * meant for another route must not reach this one's service. What the route itself sets stays.
 */
function withoutKeys(
  rules: HeaderRules,
  { credentials, authenticate }: RouteOptions,
  { authenticators }: RouteDeps["config"],
): HeaderRules {
  const passed = credentials === "forward" ? authenticate : [];
  const fields = Object.entries(authenticators).flatMap(([name, one]) =>
    one.type === "api-key" && !passed.includes(name) ? [one.field] : [],
  );
  const own = new Set(passed.map((name) => fieldOf(authenticators[name])));
  const remove = fields.filter((field) => !own.has(field));
  return remove.length === 0 ? rules : { ...rules, remove: [...rules.remove, ...remove] };
}

function fieldOf(options: RouteDeps["config"]["authenticators"][string] | undefined) {
  return options?.type === "api-key" ? options.field : undefined;
}

function requestRules({ request, response, credentials, inspect }: RouteOptions): HeaderRules {
  let rules = withCredential(headerRules(request?.headers), credentials);
  // A changed answer has to come whole and without a coding over it.
  if (response?.body !== undefined) rules = forWholeAnswers(rules);
  if (request?.body === undefined && inspect === undefined) return rules;
  // `content_encoding` would pack the body in the eyes of a service that takes it for the field.
  const remove = [...rules.remove, "content-encoding"];
  if (request?.body !== undefined) remove.push(...DIGEST_FIELDS);
  return { ...rules, remove };
}

function responseRules({ response }: RouteOptions): HeaderRules {
  const rules = headerRules(response?.headers);
  if (response?.body === undefined) return rules;
  return { ...rules, remove: [...rules.remove, ...DIGEST_FIELDS, "accept-ranges"] };
}

/** The static credential is one more field that is set: what the caller sends under its name is gone. */
function withCredential(rules: HeaderRules, options: CredentialsOptions): HeaderRules {
  const name = credentialField(options);
  const secret = secretFileOf(options);
  if (name === undefined || secret === undefined || typeof options === "string") return rules;
  let bytes: Uint8Array;
  try {
    bytes = readFileBytes(secret.file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    const message = `the secret file "${secret.file}" cannot be read (${code})`;
    throw new ConfigError([{ message }], { cause: error });
  }
  const found = credentialValue(options, bytes);
  if ("fault" in found) {
    const message = `the secret file "${secret.file}" cannot be used: ${found.fault}`;
    throw new ConfigError([{ message }]);
  }
  return { ...rules, set: [...rules.set, name, found.value] };
}
