/** Takes an endpoint at random, each as often as its weight says. */
import type { Balancer, Candidate } from "./balancer.ts";
import { drawWeighted, usableOf } from "./draw.ts";

export function createRandom(random: () => number): Balancer {
  return {
    pick<T extends Candidate>(candidates: readonly T[], tried: readonly T[]): T | undefined {
      return drawWeighted(usableOf(candidates, tried), random());
    },
  };
}
