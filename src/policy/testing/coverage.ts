/**
 * What no case speaks of: policies that decided none, and routes that none is about. Cases that expect a
 * denial count as others do: a `forbid` is covered by what it keeps out.
 */
import type { LoadedPolicy } from "../load/load-policies.ts";
import type { CaseResult } from "./run-tests.ts";

/** A policy and where it stands. */
export interface CoveredPolicy {
  readonly id: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Coverage {
  readonly policies: number;
  readonly routes: number;
  /** Their scope and conditions held in no case. */
  readonly neverTrue: readonly CoveredPolicy[];
  /** They held in a case, and another policy decided it: a `forbid`. */
  readonly undecided: readonly CoveredPolicy[];
  readonly routesWithout: readonly string[];
}

export interface CoverageSource {
  readonly policies: readonly LoadedPolicy[];
  readonly routes: readonly string[];
  readonly results: readonly CaseResult[];
  /** Ids of policies that held in some case. */
  readonly held: ReadonlySet<string>;
}

export function coverageOf({ policies, routes, results, held }: CoverageSource): Coverage {
  const decided = new Set(results.flatMap(({ actual }) => actual.determining));
  const seen = new Set(results.map(({ route }) => route));
  const named = policies.map(({ id, file, line, column }) => ({ id, file, line, column }));
  const without = named.filter(({ id }) => !decided.has(id));
  return {
    policies: policies.length,
    routes: routes.length,
    neverTrue: without.filter(({ id }) => !held.has(id)),
    undecided: without.filter(({ id }) => held.has(id)),
    routesWithout: routes.filter((route) => !seen.has(route)),
  };
}
