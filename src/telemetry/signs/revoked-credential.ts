/**
 * A credential is used that was taken away: whoever holds it has not noticed, or should not hold it. Known by
 * its reason; where the record has no credential, by the address.
 */
import type { Reason } from "../../model/reason.ts";
import type { Rule } from "./rule.ts";

const REVOKED: ReadonlySet<Reason> = new Set<Reason>(["credential-revoked", "certificate-revoked"]);

export function createRevokedCredential(): Rule {
  return {
    sign: "revoked-credential",
    look(seen, raise) {
      const { line } = seen;
      if (!seen.refused || !REVOKED.has(line.reason)) return;
      const credential = line.credentials?.find(({ outcome }) => outcome === "refused");
      // The log takes what stands behind the word "bearer" for a token, and cuts it out.
      const kind = credential === undefined ? "" : ` (${credential.kind})`;
      raise("revoked-credential", seen, {
        key: credential?.hash ?? seen.address,
        detail: `a credential${kind} was used that has been revoked: ${line.reason}`,
        ...(credential && { figures: { credential: credential.hash } }),
      });
    },
  };
}
