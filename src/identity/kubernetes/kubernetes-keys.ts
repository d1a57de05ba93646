/**
 * The keys that a cluster signs service-account tokens with, from its API server: OpenID discovery and
 * the key set that it names (Kubernetes' "service account issuer discovery").
 *
 * Refuses a discovery document of another issuer than the configured one. Asks the API server only: the
 * document may name it by an address that nobody configured, or another host altogether, and our own
 * token must go to neither.
 */
import { SallyportError } from "../../model/errors.ts";
import { isJsonObject, type JsonValue } from "../../model/json.ts";
import type { DocumentFetcher } from "../../model/ports.ts";
import type { LoadKeySet } from "../key-set/key-set-source.ts";

export interface KubernetesKeysOptions {
  readonly issuer: string;
  readonly apiServer: string;
  readonly timeoutMs: number;
}

const LIMITS = {
  /** As for every other key set. */
  documentBytes: 512 * 1024,
  /** Characters of an issuer that a message repeats. */
  shownChars: 200,
} as const;

/** Where every API server has them, wherever it says that they are. */
const KEYS_PATH = "/openid/v1/jwks";

/** `fetcher` trusts the API server, and shows it our token. */
export function createKubernetesKeySource(
  { issuer, apiServer, timeoutMs }: KubernetesKeysOptions,
  { fetcher }: { readonly fetcher: DocumentFetcher },
): LoadKeySet {
  const base = apiServer.replace(/\/$/, "");
  const discovery = `${base}/.well-known/openid-configuration`;
  const limits = { timeoutMs, maxBytes: LIMITS.documentBytes };
  return async () => {
    const { body } = await fetcher.fetchJson(discovery, limits);
    const members = isJsonObject(body as JsonValue)
      ? (body as Readonly<Record<string, unknown>>)
      : {};
    if (members["issuer"] !== issuer) {
      // It is public, and what one needs to know: clusters differ in it.
      const said = JSON.stringify(members["issuer"] ?? null).slice(0, LIMITS.shownChars);
      const message = `${discovery}: its issuer is ${said}, not exactly the configured one`;
      throw new SallyportError("fetch-failed", message);
    }
    const answer = await fetcher.fetchJson(keysUrl(members["jwks_uri"], base), limits);
    return { document: answer.body as JsonValue, maxAgeSeconds: answer.maxAgeSeconds };
  };
}

function keysUrl(named: unknown, base: string): string {
  const url = typeof named === "string" ? URL.parse(named) : null;
  return url !== null && url.origin === new URL(base).origin ? url.href : base + KEYS_PATH;
}
