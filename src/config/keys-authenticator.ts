/**
 * The authenticator of type `sallyport`: under its name stand the clients of the token endpoint, and it
 * declares what policies can know of them. There is one at most.
 */
import type { ClientPrincipalOptions } from "../identity/claims/client-principal.ts";
import type { AuthenticatorOptions } from "./schema.ts";

export interface KeysAuthenticator {
  readonly name: string;
  readonly principal: ClientPrincipalOptions;
}

export function keysAuthenticator(
  authenticators: Iterable<readonly [name: string, options: AuthenticatorOptions]>,
): KeysAuthenticator | undefined {
  for (const [name, options] of authenticators) {
    if (options.type === "sallyport") return { name, principal: options.principal };
  }
  return undefined;
}
