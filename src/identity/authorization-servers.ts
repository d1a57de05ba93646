/**
 * Who gives the tokens that an authenticator takes, as far as an OAuth client can ask there (RFC 9728
 * section 2, `authorization_servers`).
 *
 * Not those whose tokens no client can ask for: a cluster's service accounts, SPIFFE identities, API keys.
 * And not providers of browser sessions: a token of theirs is no credential here by that.
 */
import { type AuthenticatorOptions, tokensOf } from "./authenticator-options.ts";

const OAUTH: ReadonlySet<string> = new Set(["jwt", "introspection", "sallyport"]);

/** Its issuer; undefined where there is none that a client could go to. */
export function authorizationServerOf(options: AuthenticatorOptions): string | undefined {
  if (!OAUTH.has(options.type)) return undefined;
  const takes = tokensOf(options);
  return takes !== undefined && "issuer" in takes ? takes.issuer : undefined;
}
