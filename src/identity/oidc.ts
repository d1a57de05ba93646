/**
 * Knows people in a browser: they log in at an OpenID provider once, and by a session from then on. How a login
 * goes is the provider's client and the endpoints of `proxy/`; here is what it leads to.
 */
import type { Log } from "../model/ports.ts";
import type { SessionAuthenticator } from "./authenticator.ts";
import { claimWords } from "./principal-options.ts";
import { hashOptions } from "./config-hash.ts";
import type { OidcOptions } from "./oidc-options.ts";
import type { SessionProvider } from "./session-provider.ts";
import { createSessions, type Sessions, type SessionsDeps } from "./sessions.ts";

/** What the endpoints of login and logout need of an authenticator. */
export interface LoginAuthenticator {
  readonly name: string;
  /** What a person chooses it by. */
  readonly label: string;
  readonly options: OidcOptions;
  readonly sessions: Sessions;
}

export interface OidcAuthenticator extends SessionAuthenticator {
  readonly login: LoginAuthenticator;
}

export interface OidcDeps extends Omit<SessionsDeps, "keys" | "provider"> {
  /** Of its sessions, 32 bytes each, the current one first. */
  readonly sessionKeys: (name: string) => readonly Uint8Array[];
  /** Who refreshes its sessions; undefined: nobody. */
  readonly provider?: SessionProvider | undefined;
}

export function createOidcAuthenticator(
  options: OidcOptions & { readonly name: string },
  { sessionKeys, provider, ...deps }: OidcDeps,
): OidcAuthenticator {
  const { name, label = name, principal } = options;
  warnOfInsecurity(options, deps.log);
  const sessions = createSessions(options, { ...deps, provider, keys: sessionKeys(name) });
  return {
    name,
    proves: "session",
    configHash: hashOptions(options),
    vocabulary: { name, ...claimWords(principal) },
    login: { name, label, options, sessions },
    start: () => Promise.resolve(),
    keys: () => undefined,
    verify: (request, nowMs, stream) => sessions.verify(request, nowMs, stream),
    close: () => sessions.close(),
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
