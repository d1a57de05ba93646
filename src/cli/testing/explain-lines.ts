/** Of a case that fails: where the policies are that decided, or what kept the nearest permit from applying. */
import type { CaseResult } from "../../policy/testing/run-tests.ts";
import {
  type ExplainableSet,
  type ExplainedPolicy,
  explainPolicies,
} from "../../policy/explain/explanation.ts";

const LIMITS = {
  /** Failing cases that are explained: each looks at every policy, and a person reads the first. */
  explained: 50,
} as const;

/** `set`: the policies that the cases ran against; undefined where none is to be explained. */
export function createExplain(
  set: ExplainableSet | undefined,
): (result: CaseResult) => readonly string[] {
  let explained = 0;
  return ({ request }) => {
    if (set === undefined || request === undefined || explained >= LIMITS.explained) return [];
    explained += 1;
    const { policies, nearest } = explainPolicies(set, { request });
    const [first] = nearest;
    return [
      ...policies.map((policy) => `${policy.effect} ${placeOf(policy)}`),
      ...(first === undefined ? [] : nearestLines(first)),
    ];
  };
}

function nearestLines(policy: ExplainedPolicy): string[] {
  const missing = policy.clauses.filter(({ holds }) => holds === "false" || holds === "error");
  // One that applies, and a forbid wins over it.
  if (missing.length === 0) return [];
  return [
    `nearest permit: ${placeOf(policy)}`,
    ...missing.map(({ text, line }) => `  does not hold: ${oneLine(text)} (line ${line})`),
  ];
}

function placeOf({ id, file, line, column }: ExplainedPolicy): string {
  return `${id} (${file}:${line}:${column})`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
