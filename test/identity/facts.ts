/** What was verified about a credential, for tests of what is made of it. */
import type { CredentialFacts } from "../../src/model/facts.ts";

/** Alice of `corp`, with an access token that lives long. What is given replaces the defaults. */
export function factsOf(changes: Partial<CredentialFacts> = {}): CredentialFacts {
  return {
    principal: {
      kind: "user",
      authenticator: "corp",
      subject: "alice",
      roles: ["Admin", "corp/Reader"],
      groups: ["corp/staff"],
      attributes: {},
    },
    authenticator: "corp",
    kind: "jwt",
    credentialHash: "c".repeat(43),
    expiresAt: 4_000_000_000,
    notBefore: undefined,
    issuedAt: undefined,
    clockSkew: 30,
    audience: ["api"],
    acceptedAudience: ["api"],
    scopes: [],
    tokenId: undefined,
    clientId: undefined,
    acr: undefined,
    amr: [],
    authenticatedAt: undefined,
    confirmation: undefined,
    actor: undefined,
    device: undefined,
    valid: () => true,
    ...changes,
  };
}
