/**
 * Knows people in a browser: they log in at an OpenID provider once, and by a session from then on. How a login
 * goes is the provider's client and the endpoints of `proxy/`; here is what it leads to.
 */
import type { Log } from "../model/ports.ts";
import type { SessionAuthenticator } from "./authenticator.ts";
import { claimWords } from "./claims/principal-options.ts";
import { hashOptions } from "./config-hash.ts";
import type { OidcOptions } from "./oidc-options.ts";
import type { LoginAuthenticator } from "./provider/login-authenticator.ts";
import { type OidcProviderDeps, openProvider, refresherOf } from "./provider/oidc-provider.ts";
import { sessionScope } from "./session/session-scope.ts";
import { createSessionSealer } from "./session/session-seal.ts";
import { createSessions, type SessionsDeps } from "./session/sessions.ts";

export interface OidcAuthenticator extends SessionAuthenticator {
  readonly login: LoginAuthenticator;
}

export interface OidcDeps extends Omit<SessionsDeps, "keys" | "provider">, OidcProviderDeps {
  /** Of its sessions, 32 bytes each, the current one first. */
  readonly sessionKeys: (name: string) => readonly Uint8Array[];
}

export function createOidcAuthenticator(
  options: OidcOptions & { readonly name: string },
  { sessionKeys, ...deps }: OidcDeps,
): OidcAuthenticator {
  const { name, label = name, principal } = options;
  warnOfInsecurity(options, deps.log);
  const keys = sessionKeys(name);
  const provider = openProvider(options, deps);
  const sessions = createSessions(options, { ...deps, keys, provider: refresherOf(provider) });
  const transactions = createSessionSealer(keys, `login ${sessionScope(options)}`);
  return {
    name,
    proves: "session",
    configHash: hashOptions(options),
    vocabulary: { name, ...claimWords(principal) },
    login: { name, label, options, sessions, provider, transactions },
    start: () => provider.start(),
    keys: () => provider.keys(),
    verify: (request, nowMs, stream) => sessions.verify(request, nowMs, stream),
    close() {
      sessions.close();
      provider.close();
    },
  };
}

function warnOfInsecurity(
  { name, insecureHttp, session }: OidcOptions & { readonly name: string },
  log: Log,
): void {
  if (insecureHttp) {
    log.warn("an insecure option is on", { authenticator: name, option: "insecureHttp" });
  }
  if (session.cookie.insecurePlaintext) {
    const option = "session.cookie.insecurePlaintext";
    log.warn("an insecure option is on", { authenticator: name, option });
  }
  if (session.keys.length === 0) {
    log.warn(
      "sessions are sealed under a random key: they end with this process, and no other can read them",
      { authenticator: name, option: "session.keys" },
    );
  }
}
