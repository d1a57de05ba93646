/** How proofs of possession are checked in this process: by the rules of all, with the memory that it has. */
import type { Config } from "../config/schema.ts";
import { createProofVerifier } from "../identity/dpop/dpop.ts";
import type { ProofVerifier } from "../model/verifiers.ts";
import type { Instruments } from "./instruments.ts";

export function createProofs(
  config: Pick<Config, "dpop" | "authority" | "shared">,
  { shared, metrics }: Pick<Instruments, "shared" | "metrics">,
): ProofVerifier {
  const nonce = ruleOf(config);
  return createProofVerifier({ ...config.dpop, nonce }, { shared, metrics });
}

function ruleOf({
  dpop,
  authority,
  shared,
}: Pick<Config, "dpop" | "authority" | "shared">): "off" | "required" {
  if (dpop.nonce !== "auto") return dpop.nonce;
  return shared === undefined && hasSiblings(authority) ? "required" : "off";
}

/** Whether other proxies may serve the same callers. */
function hasSiblings(authority: Config["authority"]): boolean {
  if (authority === undefined) return false;
  return "feed" in authority || authority.serve !== undefined;
}
