/**
 * A candidate set of policies beside the one in force. It is asked the same questions, and what it
 * says is only compared: whoever asks learns whether the answer would be another, and nothing that it
 * could be let in by. What goes wrong in it is an answer of its own, never an error of the request.
 *
 * An answer is permit or deny. Two denials with different reasons are the same answer.
 */
import type {
  Policies,
  PolicyDecision,
  PolicyRequest,
  ShadowAnswer,
  ShadowPolicies,
} from "../../model/policy.ts";

export function createShadowPolicies(candidate: Policies): ShadowPolicies {
  const { hash } = candidate;
  return {
    hash,
    compare(request, decision) {
      const other = decideOrFail(candidate, request);
      if (other === undefined) return failed(hash);
      const permits = other.reason === "permitted";
      if (permits === (decision.reason === "permitted")) return SAME;
      const { reason, determining } = other;
      const outcome = permits ? "would-permit" : "would-deny";
      return { outcome, difference: { bundle: hash, reason, determining } };
    },
  };
}

const SAME: ShadowAnswer = Object.freeze({ outcome: "same", difference: undefined });

function decideOrFail(candidate: Policies, request: PolicyRequest): PolicyDecision | undefined {
  try {
    return candidate.decide(request);
  } catch {
    // A defect of ours. What is in force was asked the same, and its errors are told as such.
    return undefined;
  }
}

function failed(bundle: string): ShadowAnswer {
  const difference = { bundle, reason: "internal-error", determining: [] } as const;
  return { outcome: "error", difference };
}
