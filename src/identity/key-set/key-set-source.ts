/**
 * Where a key set comes from: a URL, or OpenID discovery (OpenID Connect Discovery 1.0 section 4).
 *
 * Refuses a discovery document whose `issuer` is not exactly the one that was asked for (one
 * provider could else answer for another), and key URLs that `key-set-url.ts` refuses; from an
 * https issuer it never goes down to http.
 */
import { SallyportError } from "../../model/errors.ts";
import { isJsonObject, type JsonValue } from "../../model/json.ts";
import type { Clock, DocumentFetcher } from "../../model/ports.ts";
import { whyNotFetched } from "../../wire/fetch-url.ts";

export interface KeySetDocument {
  readonly document: JsonValue;
  /** What the provider says about how long it may be used; undefined when it says nothing. */
  readonly maxAgeSeconds: number | undefined;
}

/** Fetches the key set. Rejects with SallyportError `fetch-failed`. */
export type LoadKeySet = () => Promise<KeySetDocument>;

export interface KeySetSourceOptions {
  readonly issuer: string;
  /** URL of the key set; undefined: by discovery. */
  readonly jwks: string | undefined;
  readonly insecureHttp: boolean;
  readonly timeoutMs: number;
}

const LIMITS = {
  /** A discovery document has some 5 KB, a key set of ten RSA keys with certificates some 30 KB. */
  documentBytes: 512 * 1024,
  /** How long a discovered key URL is used before discovery is asked again; a failure asks at once. */
  discoveryMs: 3_600_000,
} as const;

/** Returns the way to load the keys that `options` name. */
export function createKeySetSource(
  options: KeySetSourceOptions,
  deps: { readonly fetcher: DocumentFetcher; readonly clock: Clock },
): LoadKeySet {
  const fetchOptions = { timeoutMs: options.timeoutMs, maxBytes: LIMITS.documentBytes };
  let discovered: { readonly url: string; readonly atMs: number } | undefined;

  async function keySetUrl(): Promise<string> {
    if (options.jwks !== undefined) return options.jwks;
    const now = deps.clock.monotonic();
    if (discovered !== undefined && now - discovered.atMs < LIMITS.discoveryMs) {
      return discovered.url;
    }
    const { body } = await deps.fetcher.fetchJson(discoveryUrl(options.issuer), fetchOptions);
    const url = readDiscovery(body as JsonValue, options);
    discovered = { url, atMs: now };
    return url;
  }

  return async () => {
    try {
      const answer = await deps.fetcher.fetchJson(await keySetUrl(), fetchOptions);
      return { document: answer.body as JsonValue, maxAgeSeconds: answer.maxAgeSeconds };
    } catch (error) {
      // The provider may have moved its keys: ask where they are the next time.
      discovered = undefined;
      throw error;
    }
  };
}

/** Section 4.1: a terminating `/` of the issuer is removed first. */
function discoveryUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
}

function readDiscovery(document: JsonValue, options: KeySetSourceOptions): string {
  const place = discoveryUrl(options.issuer);
  const members = isJsonObject(document) ? document : {};
  if (members["issuer"] !== options.issuer) {
    throw failed(`${place}: its issuer is not exactly the configured one`);
  }
  const url = members["jwks_uri"];
  if (typeof url !== "string") throw failed(`${place}: it has no jwks_uri`);
  const remedy = whyNotFetched(url, options.insecureHttp);
  if (remedy !== undefined) throw failed(`${place}: its jwks_uri is not ${remedy}`);
  if (options.issuer.startsWith("https:") && !url.startsWith("https:")) {
    throw failed(`${place}: its jwks_uri goes down to http`);
  }
  return url;
}

function failed(message: string): SallyportError {
  return new SallyportError("fetch-failed", message);
}
