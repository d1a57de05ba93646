/**
 * Looks at a decision again: finds its record in the folder of an audit log, and evaluates the request that
 * it holds by the policies that were in force then, which lie beside it. Says whether they answer as they
 * did. Nothing in it depends on what is in force now, or on when it is asked.
 */
import { findDecision, type FoundDecision, noRecord } from "../audit/find-decision.ts";
import { readValueKey } from "../audit/folder.ts";
import type { RecordedCompletion, RecordedDecision } from "../audit/record-schema.ts";
import { createValueHash } from "../audit/value-hash.ts";
import { escapeUnprintable } from "../model/unprintable.ts";
import { isEgressRoute } from "../model/egress-names.ts";
import { REASONS } from "../model/reason.ts";
import { keptBundlesFolder, readKeptBundle } from "../policy/bundle/kept-bundles.ts";
import type { CompileDeps } from "../policy/compile-policies.ts";
import { LOCAL_SOCKET_POLICY } from "../policy/decide/local-socket.ts";
import { explainPolicies, type PolicyExplanation } from "../policy/explain/explanation.ts";
import { openExplainable } from "../policy/explain/open-explainable.ts";
import { hiddenFacts } from "../policy/explain/redacted.ts";
import { recordedRequest } from "../policy/explain/recorded-request.ts";
import { compareAnswers, OF_POLICIES } from "./compare-answers.ts";

export interface ExplainedDecision {
  readonly record: RecordedDecision;
  /** How its request ended; left out where that is not in the log, or not near. */
  readonly completion?: RecordedCompletion;
  /** File of the audit log that has the record. */
  readonly file: string;
  /** What the reason means: for the caller, and for the operator. */
  readonly title: string;
  readonly meaning: string;
  readonly evaluation: Evaluation;
  /** With `redacted`: the members of the record that keep it from being evaluated again. */
  readonly hidden?: readonly string[];
  /** Left out where policies were not asked, or those of that time are not at hand. */
  readonly policies?: PolicyExplanation;
}

/**
 * How the second evaluation stands to the record. `same`: decision, reason, determining and erroring policies
 * are those of the record. `uncertain`: it depends on what the record does not hold. `not-asked`: policies
 * did not decide. `no-bundle`: the policies of that time are not kept. `redacted`: the record holds keyed
 * hashes of what policies looked at.
 */
export type Evaluation =
  | "same"
  | "different"
  | "uncertain"
  | "not-asked"
  | "no-bundle"
  | "redacted";

/**
 * `folder` is that of the audit log. Undefined where no record has the id. Throws SallyportError where folder
 * or record cannot be read, the record is none of ours, or the policies are none that this version evaluates.
 */
export async function explainDecision(
  { folder, id }: { readonly folder: string; readonly id: string },
  deps: CompileDeps,
): Promise<ExplainedDecision | undefined> {
  const found = await findDecision(folder, id);
  if (found === undefined) return undefined;
  const { decision: record } = found;
  const key = await readValueKey(folder);
  const asked = wereAsked(record)
    ? recordedRequest(record, { hash: key && createValueHash(key) })
    : undefined;
  if (asked === undefined) return explained(found, "not-asked");
  const hidden = hiddenFacts(record);
  if (hidden.length > 0) return { ...explained(found, "redacted"), hidden };
  const source = readKeptBundle(keptBundlesFolder(folder), record.bundle);
  if (source === undefined) return explained(found, "no-bundle");
  const set = await openExplainable(source, deps);
  const unknown = set.gate.unknownOf(asked);
  if (unknown !== undefined) {
    const why = `its ${unknown} is none that the policies of its bundle know`;
    throw noRecord(await found.place(), why);
  }
  const policies = explainPolicies(set, { request: asked, hidden: asked.hidden });
  return explained(found, compareAnswers(record, policies), policies);
}

/** The same bytes for the same value; integers beyond 2^53 as the audit log writes them. */
export function explanationJson(value: unknown): string {
  const exact = (_name: string, one: unknown): unknown =>
    typeof one === "bigint" ? { long: String(one) } : one;
  return escapeUnprintable(JSON.stringify(value, exact, 2));
}

function explained(
  { decision: record, completion, file }: FoundDecision,
  evaluation: Evaluation,
  policies?: PolicyExplanation,
): ExplainedDecision {
  const { title, meaning } = REASONS[record.reason];
  return {
    record,
    ...(completion === undefined ? {} : { completion }),
    file,
    title,
    meaning,
    evaluation,
    ...(policies === undefined ? {} : { policies }),
  };
}

/** What was permitted can be refused further on: then the record has both, the policies and the reason. */
function wereAsked({ reason, determining, erroring, route = "" }: RecordedDecision): boolean {
  if (determining.includes(LOCAL_SOCKET_POLICY) || isEgressRoute(route)) return false;
  return OF_POLICIES.has(reason) || determining.length > 0 || erroring.length > 0;
}
