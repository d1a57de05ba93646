/**
 * Whose sessions they are: of one authenticator, at one provider, as one of its clients. The same key may lie in
 * staging and in production, and a reload may name another provider. A refresh token that went on from the one to
 * the other would be shown to somebody who must not have it, and claims of the one would count as the other's.
 */
import { hash } from "node:crypto";
import type { OidcOptions } from "../oidc-options.ts";

/**
 * The authenticator's name, then a digest over issuer and client as a list, so that nothing moves from one into
 * the other; names have no colon.
 */
export function sessionScope({
  name,
  issuer,
  client,
}: Pick<OidcOptions, "issuer"> & {
  readonly name: string;
  readonly client: { readonly id: string };
}): string {
  return `${name}:${hash("sha256", JSON.stringify([issuer, client.id]), "base64url")}`;
}
