/**
 * Takes the same endpoint for the same key, as long as it is there: rendezvous hashing (Thaler and
 * Ravishankar, 1998). Each endpoint has a score for each key and the highest wins, so when one leaves
 * only its own keys move, and when one comes it takes its share and moves no others. Weights as in
 * Schindelhauer and Schomaker, "Weighted distributed hash tables" (2005).
 *
 * The load is bounded (Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads",
 * 2016): an endpoint that has more than `maxLoad` percent of its share of what is in flight is passed
 * over, so that one busy key cannot drown one endpoint. A request without a key goes where least is
 * to do.
 */
import { type Balancer, type Candidate, isUsable } from "./balancer.ts";
import { weightOf } from "./draw.ts";
import { hashText, mix } from "./hash.ts";
import { createLeastRequests } from "./least-requests.ts";

const LIMITS = {
  /**
   * Requests that an endpoint may always have, whatever its share: with little in flight the bound
   * would be one or two, and a caller with three requests at once would never keep its endpoint.
   */
  free: 4,
} as const;

export interface ConsistentHashOptions {
  /** Percent of its share of the requests in flight that an endpoint may have; above 100. */
  readonly maxLoad: number;
}

export function createConsistentHash(
  { maxLoad }: ConsistentHashOptions,
  random: () => number,
): Balancer {
  const keyless = createLeastRequests(random);
  return {
    pick<T extends Candidate>(
      candidates: readonly T[],
      tried: readonly T[],
      key: string | undefined,
    ): T | undefined {
      if (key === undefined) return keyless.pick(candidates, tried, key);
      const hash = hashText(key);
      const usable = (candidate: T): boolean => isUsable(candidate, tried);
      // One more is in flight than is counted: this one.
      let inFlight = 1;
      for (const { active } of candidates) inFlight += active;
      // In whole numbers: a rounded quotient would let one more through now and then.
      const share = inFlight * maxLoad;
      const hundredWeights = 100 * weightOf(candidates);
      const hasRoom = (candidate: T): boolean =>
        usable(candidate) &&
        (candidate.active < LIMITS.free ||
          candidate.active * hundredWeights < share * candidate.weight);
      return highest(candidates, hash, hasRoom) ?? highest(candidates, hash, usable);
    },
  };
}

function highest<T extends Candidate>(
  candidates: readonly T[],
  hash: number,
  takes: (candidate: T) => boolean,
): T | undefined {
  let best: T | undefined;
  let bestScore = -1;
  for (const candidate of candidates) {
    const score = scoreOf(candidate, hash);
    if (score <= bestScore || !takes(candidate)) continue;
    best = candidate;
    bestScore = score;
  }
  return best;
}

/** Positive; the more weight, the more often it is the highest, in proportion. */
function scoreOf({ seed, weight }: Candidate, hash: number): number {
  const uniform = (mix(hash ^ seed) + 0.5) / 2 ** 32;
  return -weight / Math.log(uniform);
}
