/**
 * One evaluation: runs candidate policies and keeps which applied and which failed. What follows from
 * that is the caller's: the gate and Cedar differ in what an erring `forbid` means.
 */
import type { CompiledPolicy } from "./compile-policy.ts";
import type { Environment } from "./environment.ts";
import { EvaluationError } from "./evaluation-error.ts";
import type { PolicyGroup } from "./policy-index.ts";

/** The principal as the index looks for it. */
export interface IndexedPrincipal {
  readonly key: string;
  readonly type: string;
  /** Keys of itself and of what it is in, as far as any policy's scope asks for them. */
  readonly within: readonly string[];
}

const NONE: CompiledPolicy[] = [];

export class Evaluation {
  /** Made when the first one comes: most evaluations fill one of the three. */
  permits: CompiledPolicy[] = NONE;
  forbids: CompiledPolicy[] = NONE;
  errors: CompiledPolicy[] = NONE;

  /** Throws what is not an EvaluationError: a defect, on which the gate denies. */
  run(groups: readonly PolicyGroup[], principal: IndexedPrincipal, environment: Environment): void {
    for (const group of groups) {
      if (group.any.length > 0) this.#runAll(group.any, environment);
      if (group.equals.size > 0) {
        const policies = group.equals.get(principal.key);
        if (policies !== undefined) this.#runAll(policies, environment);
      }
      if (group.type.size > 0) {
        const policies = group.type.get(principal.type);
        if (policies !== undefined) this.#runAll(policies, environment);
      }
      if (group.within.size > 0) {
        for (const key of principal.within) {
          const policies = group.within.get(key);
          if (policies !== undefined) this.#runAll(policies, environment);
        }
      }
    }
  }

  #runAll(policies: readonly CompiledPolicy[], environment: Environment): void {
    for (const policy of policies) {
      try {
        if (!policy.applies(environment)) continue;
      } catch (error) {
        if (!(error instanceof EvaluationError)) throw error;
        this.errors = appended(this.errors, policy);
        continue;
      }
      if (policy.effect === "permit") this.permits = appended(this.permits, policy);
      else this.forbids = appended(this.forbids, policy);
    }
  }
}

function appended(policies: CompiledPolicy[], policy: CompiledPolicy): CompiledPolicy[] {
  if (policies === NONE) return [policy];
  policies.push(policy);
  return policies;
}

/** Ids in the order of the files. */
export function idsInOrder(policies: readonly CompiledPolicy[]): readonly string[] {
  if (policies.length < 2) return policies.map(({ id }) => id);
  return policies.toSorted((left, right) => left.order - right.order).map(({ id }) => id);
}
