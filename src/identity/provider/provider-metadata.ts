/**
 * What an OpenID provider says about itself (OpenID Connect Discovery 1.0 section 4), kept current.
 *
 * Refuses a document whose `issuer` is not exactly the one that was asked for (one provider could else
 * answer for another), endpoints that `key-set-url.ts` refuses, those that go down from https to http, and a
 * provider that cannot do the authorization code flow with PKCE S256. Only what is checked comes out of here,
 * so a request of ours goes to no other place.
 *
 * While the provider is down the last good document serves, up to a bound.
 */
import { SallyportError } from "../../model/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../model/json.ts";
import type { Clock, DocumentFetcher } from "../../model/ports.ts";
import { whyNotFetched } from "../../wire/fetch-url.ts";

export interface ProviderMetadata {
  readonly issuer: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly userinfoEndpoint: string | undefined;
  readonly pushedRequestEndpoint: string | undefined;
  readonly endSessionEndpoint: string | undefined;
  /** RFC 9126 section 5: it takes authorization requests in no other way. */
  readonly requiresPushedRequests: boolean;
  /** RFC 9207 section 3: an answer without `iss` is not its. */
  readonly sendsIssuer: boolean;
  /** Takes the `claims` parameter (OpenID Connect Core section 5.5). */
  readonly takesClaims: boolean;
  /** Undefined where it does not say: then `client_secret_basic` (Discovery section 3). */
  readonly authenticationMethods: readonly string[] | undefined;
}

export interface MetadataSource {
  /** Fetches where nothing fresh is at hand. Rejects with SallyportError `fetch-failed`. */
  get(): Promise<ProviderMetadata>;
}

export interface MetadataOptions {
  readonly issuer: string;
  readonly insecureHttp: boolean;
  readonly timeoutMs: number;
}

const LIMITS = {
  /** A discovery document has some 5 KB. */
  documentBytes: 512 * 1024,
  /** A provider that moves an endpoint is followed after this long. */
  freshMs: 3_600_000,
  /** How long the last good document serves while the provider is down; as long as its keys. */
  keepMs: 12 * 3_600_000,
  /** Least time between two attempts: people who click again must not add to a provider's troubles. */
  cooldownMs: 2000,
} as const;

export function createMetadataSource(
  options: MetadataOptions,
  deps: { readonly fetcher: DocumentFetcher; readonly clock: Clock },
): MetadataSource {
  let held: { readonly metadata: ProviderMetadata; readonly atMs: number } | undefined;
  let failed: { readonly error: unknown; readonly atMs: number } | undefined;
  let running: Promise<ProviderMetadata> | undefined;

  const fetch = async (): Promise<ProviderMetadata> => {
    try {
      const { body } = await deps.fetcher.fetchJson(discoveryUrl(options.issuer), {
        timeoutMs: options.timeoutMs,
        maxBytes: LIMITS.documentBytes,
      });
      const metadata = readMetadata(body as JsonValue, options);
      held = { metadata, atMs: deps.clock.monotonic() };
      failed = undefined;
      return metadata;
    } catch (error) {
      const now = deps.clock.monotonic();
      failed = { error, atMs: now };
      if (held !== undefined && now - held.atMs < LIMITS.keepMs) return held.metadata;
      throw error;
    } finally {
      running = undefined;
    }
  };

  return {
    async get() {
      const now = deps.clock.monotonic();
      const age = held === undefined ? Number.POSITIVE_INFINITY : now - held.atMs;
      if (held !== undefined && age < LIMITS.freshMs) return held.metadata;
      if (failed !== undefined && now - failed.atMs < LIMITS.cooldownMs) {
        if (held !== undefined && age < LIMITS.keepMs) return held.metadata;
        throw failed.error;
      }
      running ??= fetch();
      return running;
    },
  };
}

/** Section 4.1: a terminating `/` of the issuer is removed first. */
export function discoveryUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
}

function readMetadata(document: JsonValue, options: MetadataOptions): ProviderMetadata {
  const place = discoveryUrl(options.issuer);
  const members: JsonObject = isJsonObject(document) ? document : {};
  if (members["issuer"] !== options.issuer) {
    throw failure(`${place}: its issuer is not exactly the configured one`);
  }
  const endpoint = (name: string): string | undefined => {
    const url = members[name];
    if (url === undefined || url === null) return undefined;
    if (typeof url !== "string") throw failure(`${place}: its ${name} is not a URL`);
    const remedy = whyNotFetched(url, options.insecureHttp);
    if (remedy !== undefined) throw failure(`${place}: its ${name} is not ${remedy}`);
    if (options.issuer.startsWith("https:") && !url.startsWith("https:")) {
      throw failure(`${place}: its ${name} goes down to http`);
    }
    return url;
  };
  const required = (name: string): string => {
    const url = endpoint(name);
    if (url === undefined) throw failure(`${place}: it has no ${name}`);
    return url;
  };
  // Both lists may be left out; one that is there and lacks what we do says that it cannot be done.
  for (const [name, value] of [
    ["response_types_supported", "code"],
    ["code_challenge_methods_supported", "S256"],
  ] as const) {
    if (texts(members[name])?.includes(value) === false) {
      throw failure(`${place}: its ${name} lacks ${value}`);
    }
  }
  return Object.freeze({
    issuer: options.issuer,
    authorizationEndpoint: required("authorization_endpoint"),
    tokenEndpoint: required("token_endpoint"),
    userinfoEndpoint: endpoint("userinfo_endpoint"),
    pushedRequestEndpoint: endpoint("pushed_authorization_request_endpoint"),
    endSessionEndpoint: endpoint("end_session_endpoint"),
    requiresPushedRequests: members["require_pushed_authorization_requests"] === true,
    sendsIssuer: members["authorization_response_iss_parameter_supported"] === true,
    takesClaims: members["claims_parameter_supported"] === true,
    authenticationMethods: texts(members["token_endpoint_auth_methods_supported"]),
  });
}

function texts(value: JsonValue | undefined): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.filter((item): item is string => typeof item === "string");
}

function failure(message: string): SallyportError {
  return new SallyportError("fetch-failed", message);
}
