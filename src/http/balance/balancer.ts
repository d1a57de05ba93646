/** What every balancer in this folder is: a way to choose among the endpoints that are in order. */

/** An endpoint as a balancer sees it. */
export interface Candidate {
  /** Its share beside the others; at least 1. */
  readonly weight: number;
  /** Requests that it has now. */
  readonly active: number;
  /** Whether it can take one more: neither full nor resting after a refused connection. */
  readonly open: boolean;
  /** 32 bits of its own, the same in every process: where it lies for consistent hashing. */
  readonly seed: number;
}

export interface Balancer {
  /**
   * One of the candidates that is open and not among those tried; undefined when there is none.
   * `candidates` is another array whenever who is in it has changed. `key` is what consistent
   * hashing goes by; the others leave it alone.
   */
  pick<T extends Candidate>(
    candidates: readonly T[],
    tried: readonly T[],
    key: string | undefined,
  ): T | undefined;
}

/** Whether it can be picked. */
export function isUsable<T extends Candidate>(candidate: T, tried: readonly T[]): boolean {
  return candidate.open && !tried.includes(candidate);
}
