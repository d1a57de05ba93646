/** Runs cases against policies and says of each what came out, and how it differs from what was expected. */
import type { Policies, PolicyDecision, PolicyRequest } from "../../model/policy.ts";
import type { ExpectedReason, Expectation } from "./test-format.ts";
import type { TestCase } from "./read-tests.ts";

export interface Outcome {
  readonly decision: "permit" | "deny";
  readonly reason: ExpectedReason;
  readonly determining: readonly string[];
  readonly erroring: readonly string[];
}

export interface CaseResult {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly expected: Expectation;
  readonly actual: Outcome;
  /** What differs, in words; empty where it passed. */
  readonly differences: readonly string[];
  /** What policies were asked; undefined where the router refused it. */
  readonly request: PolicyRequest | undefined;
  readonly route: string | undefined;
}

export function runCase(one: TestCase, policies: Policies): CaseResult {
  const { name, file, line, column, expected, request, route } = one;
  const actual = outcomeOf(one, policies);
  const differences = differencesOf(expected, actual);
  return { name, file, line, column, expected, actual, differences, request, route };
}

export function passed({ differences }: Pick<CaseResult, "differences">): boolean {
  return differences.length === 0;
}

function outcomeOf({ request, refused }: TestCase, policies: Policies): Outcome {
  if (request === undefined) {
    if (refused === undefined)
      throw new TypeError("a case without a request, and without a reason");
    return { decision: "deny", reason: refused, determining: [], erroring: [] };
  }
  const { reason, determining, erroring }: PolicyDecision = policies.decide(request);
  return { decision: reason === "permitted" ? "permit" : "deny", reason, determining, erroring };
}

function differencesOf(expected: Expectation, actual: Outcome): string[] {
  const differences: string[] = [];
  if (expected.decision !== actual.decision) {
    differences.push(`expected ${expected.decision}, got ${actual.decision} (${actual.reason})`);
  } else if (expected.reason !== undefined && expected.reason !== actual.reason) {
    differences.push(`expected the reason ${expected.reason}, got ${actual.reason}`);
  }
  const { determining, determiningIncludes = [] } = expected;
  if (determining !== undefined && !sameSet(determining, actual.determining)) {
    differences.push(
      `expected ${idsText(determining)} to decide, got ${idsText(actual.determining)}`,
    );
  }
  const missing = determiningIncludes.filter((id) => !actual.determining.includes(id));
  if (missing.length > 0) {
    differences.push(
      `expected ${idsText(missing)} among those that decide, got ${idsText(actual.determining)}`,
    );
  }
  return differences;
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  const set = new Set(one);
  return set.size === other.length && other.every((id) => set.has(id));
}

export function idsText(ids: readonly string[]): string {
  return ids.length === 0 ? "no policy" : ids.join(", ");
}
