/** Decisions whose requests have not ended yet: bounded in number and time, the oldest go first. */
import type { AccessDecision } from "./access-entry.ts";

const LIMITS = {
  /** Some 500 bytes each. More requests at once than that are in flight nowhere. */
  waiting: 50_000,
} as const;

interface Waiting {
  readonly decision: AccessDecision;
  readonly sinceMs: number;
}

export class Pending {
  /** In the order in which they came. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #most: number;

  constructor(most: number = LIMITS.waiting) {
    this.#most = most;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** The one that had to make room, if any. */
  add(decision: AccessDecision, sinceMs: number): AccessDecision | undefined {
    this.#waiting.set(decision.decisionId, { decision, sinceMs });
    if (this.#waiting.size <= this.#most) return undefined;
    for (const [id, oldest] of this.#waiting) {
      this.#waiting.delete(id);
      return oldest.decision;
    }
    return undefined;
  }

  take(decisionId: string): AccessDecision | undefined {
    const waiting = this.#waiting.get(decisionId);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(decisionId);
    return waiting.decision;
  }

  /** Those that came before. */
  *before(timeMs: number): Generator<AccessDecision> {
    for (const [id, { decision, sinceMs }] of this.#waiting) {
      if (sinceMs >= timeMs) return;
      this.#waiting.delete(id);
      yield decision;
    }
  }

  /** All that wait, oldest first. */
  decisions(): AccessDecision[] {
    return [...this.#waiting.values()].map(({ decision }) => decision);
  }
}
