/** What a record says of a key that was asked for, as the question that policies were asked. */
import { ISSUE_KEY_ACTION } from "../model/issued-keys.ts";
import type { PolicyIssue } from "../model/policy.ts";

/** Members of a decision record. */
export interface RecordedIssueMembers {
  readonly action?: string | undefined;
  readonly issue?:
    | (Omit<PolicyIssue, "service" | "other"> & {
        readonly other?: string | undefined;
        readonly questions: number;
      })
    | undefined;
  readonly service?: string | undefined;
}

/** Undefined where no key was asked for, or it never came to a question. */
export function recordedIssue({
  action,
  service,
  issue,
}: RecordedIssueMembers): PolicyIssue | undefined {
  if (action !== ISSUE_KEY_ACTION || issue === undefined || service === undefined) return undefined;
  const { questions: _asked, other, ...same } = issue;
  return { ...same, service, other };
}

/** Whether policies were asked of others too for the same key: those questions are not in the record. */
export function isOneOfSeveral({ issue }: RecordedIssueMembers): boolean {
  return issue !== undefined && issue.questions !== 1;
}
