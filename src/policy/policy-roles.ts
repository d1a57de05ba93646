/** Which roles policies and data files speak of: a role that none of them knows gives nobody anything. */
import { sallyportUid } from "./cedar-names.ts";
import type { VerifiedPolicies } from "./compile-policies.ts";
import { policyFacts } from "./findings/policy-facts.ts";

export interface PolicyRoles {
  /** By its id in policies. */
  has(id: string): boolean;
  /** Those that policies name. */
  readonly named: readonly string[];
}

export function policyRoles({
  policies,
  entities,
}: Pick<VerifiedPolicies, "policies" | "entities">): PolicyRoles {
  const { type } = sallyportUid("Role", "");
  const named = new Set(
    policies.flatMap((policy) =>
      policyFacts(policy).named.flatMap((uid) => (uid.type === type ? [uid.id] : [])),
    ),
  );
  const inFiles = new Set(entities.flatMap(({ key, within }) => [key, ...within]));
  return {
    has: (id) => named.has(id) || inFiles.has(sallyportUid("Role", id).key),
    named: [...named],
  };
}
