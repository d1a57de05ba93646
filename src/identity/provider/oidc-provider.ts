/** The provider of an `oidc` authenticator as its options name it, and as its sessions ask it for a refresh. */
import { ConfigError } from "../../model/errors.ts";
import type { Clock, DocumentFetcher, Log, Metrics, Timers } from "../../model/ports.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";
import type { SendOutgoing } from "../../platform/outgoing-http.ts";
import { openKeys } from "../key-set/jwt-keys.ts";
import { keysSchema } from "../jwt-options.ts";
import type { KeySetPool } from "../key-set/key-set-pool.ts";
import type { OidcOptions } from "../oidc-options.ts";
import { createProvider, type Provider } from "./provider.ts";
import { CLIENT_KEY_REMEDY, readClientKey } from "./client-key.ts";
import type { ClientAuthentication } from "./provider-options.ts";
import type { RefreshOutcome, SessionProvider } from "../session/session-provider.ts";

export interface OidcProviderDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly fetcher: DocumentFetcher;
  readonly send: SendOutgoing;
  readonly shared: SharedMemory;
  readonly keySets?: KeySetPool;
  /** Reads a file that the configuration names. Throws where that fails. */
  readonly readFile: (path: string) => Uint8Array;
}

/** Throws ConfigError where the client's key cannot be used. Fetches nothing yet. */
export function openProvider(
  options: OidcOptions & { readonly name: string },
  deps: OidcProviderDeps,
): Provider {
  const { name, issuer, insecureHttp } = options;
  const authentication = authenticationOf(options, deps);
  const keys = openKeys({ name, issuer, insecureHttp, keys: keysSchema.parse({}) }, deps);
  return createProvider(
    {
      name,
      issuer,
      clientId: options.client.id,
      authentication,
      scopes: options.scopes,
      trustedAudiences: options.audience,
      algorithms: options.algorithms,
      pushedRequests: options.par,
      userinfo: options.userinfo,
      clockSkewSeconds: options.clockSkew / 1000,
      acrValues: options.acrValues ?? [],
      timeoutMs: options.timeout,
      insecureHttp,
    },
    { ...deps, keys },
  );
}

function authenticationOf(
  { name, client }: OidcOptions & { readonly name: string },
  { readFile }: OidcProviderDeps,
): ClientAuthentication {
  const { secret, privateKey, keyId, method } = client;
  if (secret !== undefined) {
    const posted = method === "client_secret_post" ? method : "client_secret_basic";
    return { method: method === undefined ? "client_secret" : posted, secret };
  }
  if (privateKey === undefined) return { method: "none" };
  try {
    return { method: "private_key_jwt", key: readClientKey(readFile(privateKey)), kid: keyId };
  } catch (cause) {
    // The cause may quote what stands in the file.
    throw new ConfigError(
      [
        {
          file: privateKey,
          message: `the client's key of authenticator "${name}" cannot be used`,
          remedy: CLIENT_KEY_REMEDY,
        },
      ],
      { cause },
    );
  }
}

/** A refresh as sessions see it: gone on, over, or to be tried again. */
export function refresherOf(provider: Pick<Provider, "refresh">): SessionProvider {
  return {
    async refresh(refreshToken, of): Promise<RefreshOutcome> {
      const tokens = await provider.refresh(refreshToken, of);
      if (!("fault" in tokens)) {
        const sid = tokens.claims?.["sid"];
        return {
          outcome: "refreshed",
          tokens: { ...tokens, sid: typeof sid === "string" ? sid : undefined },
        };
      }
      const { fault, detail } = tokens;
      const again = fault === "identity-unavailable" || fault === "overloaded";
      return { outcome: again ? "unavailable" : "ended", detail: `${fault}: ${detail}` };
    },
  };
}
