/** How what policies say of a recorded request stands to what is on record. */
import type { RecordedDecision } from "../audit/record-schema.ts";
import type { PolicyExplanation } from "../policy/explain/explanation.ts";
import { isOneOfSeveral } from "../policy/recorded-issue.ts";

/** Reasons that are policies' own. What was permitted can be refused further on. */
export const OF_POLICIES: ReadonlySet<string> = new Set([
  "permitted",
  "no-permit",
  "forbidden",
  "policy-error",
  "step-up-required",
]);

type Compared = Pick<RecordedDecision, "reason" | "determining" | "erroring" | "issue">;
type Again = Pick<PolicyExplanation, "reason" | "determining" | "erroring" | "mayErr" | "policies">;

/** As `Evaluation` of explain-decision.ts. */
export function compareAnswers(record: Compared, again: Again): "same" | "different" | "uncertain" {
  const reason = OF_POLICIES.has(record.reason) ? record.reason : "permitted";
  if (again.reason === undefined || isOpen(again)) return "uncertain";
  if (again.reason !== reason) return "different";
  const all = { determining: record.determining, erroring: record.erroring };
  if (reason === "permitted" && isOneOfSeveral(record)) {
    // What permitted the other questions is among these, and those questions are not in the record.
    return has(all.determining, again.determining) && has(all.erroring, again.erroring)
      ? "uncertain"
      : "different";
  }
  const same =
    sameTexts(again.determining, all.determining) && sameTexts(again.erroring, all.erroring);
  return same ? "same" : "different";
}

/** Whether some policy may apply or err, or not: then the lists may have one more. */
function isOpen({ policies, mayErr }: Again): boolean {
  return mayErr.length > 0 || policies.some(({ applies }) => applies === "depends");
}

function has(all: readonly string[], some: readonly string[]): boolean {
  return some.every((text) => all.includes(text));
}

function sameTexts(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, index) => text === right[index]);
}
