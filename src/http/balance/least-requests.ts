/**
 * Draws two endpoints and takes the one with fewer requests for its weight. Two are enough: the
 * longest queue grows with log log of the number of endpoints (Mitzenmacher, "The power of two
 * choices in randomized load balancing", 2001), and unlike the least of all, they do not send a herd
 * of proxies to the same idle endpoint.
 */
import type { Balancer, Candidate } from "./balancer.ts";
import { drawWeighted, usableOf } from "./draw.ts";

export function createLeastRequests(random: () => number): Balancer {
  return {
    pick<T extends Candidate>(candidates: readonly T[], tried: readonly T[]): T | undefined {
      const usable = usableOf(candidates, tried);
      if (usable.length < 2) return usable[0];
      const one = drawWeighted(usable, random());
      const other = drawOther(usable, one, random());
      if (one === undefined || other === undefined) return one;
      return load(other) < load(one) ? other : one;
    },
  };
}

/** One that is not `one`: drawn among the rest, each as often as its weight says. */
function drawOther<T extends Candidate>(
  usable: readonly T[],
  one: T | undefined,
  random: number,
): T | undefined {
  let left = -(one?.weight ?? 0);
  for (const { weight } of usable) left += weight;
  left *= random;
  for (const candidate of usable) {
    if (candidate === one) continue;
    left -= candidate.weight;
    if (left < 0) return candidate;
  }
  return usable.findLast((candidate) => candidate !== one);
}

/** With the request that is to be placed, so that weights count also where nothing is in flight. */
function load(candidate: Candidate): number {
  return (candidate.active + 1) / candidate.weight;
}
