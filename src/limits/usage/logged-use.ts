/**
 * What was used before, by names as the log has them: where subjects are redacted these are pseudonyms, and
 * who they are is only known once they ask again. Kept until then, or until the period is over.
 */
import type { QuotaStep } from "../../model/quota-steps.ts";
import { periodEnd } from "./periods.ts";

/** Who principals are in a log that redacts subjects. */
export interface LoggedNames {
  /** Undefined where the log does not know the principal. */
  nameOf(id: string): string | undefined;
  /** Whether it is no id, but the name of one in the log. */
  isName(text: string): boolean;
}

export class LoggedUse {
  readonly #steps = new Map<string, readonly QuotaStep[]>();

  get size(): number {
    return this.#steps.size;
  }

  add(step: QuotaStep): void {
    const [name] = step;
    this.#steps.set(name, [...(this.#steps.get(name) ?? []), step]);
  }

  /** Of this name; they are no longer kept. */
  take(name: string): readonly QuotaStep[] {
    const steps = this.#steps.get(name) ?? [];
    this.#steps.delete(name);
    return steps;
  }

  forget(nowMs: number): void {
    for (const [name, steps] of this.#steps) {
      const left = steps.filter(([, period, start]) => periodEnd(period, start) > nowMs);
      if (left.length === 0) this.#steps.delete(name);
      else this.#steps.set(name, left);
    }
  }

  *all(): Generator<QuotaStep> {
    for (const steps of this.#steps.values()) yield* steps;
  }
}
