/** Takes the endpoints in turn. */
import { type Balancer, type Candidate, isUsable } from "./balancer.ts";

export function createRoundRobin(): Balancer {
  let turn = 0;
  return {
    pick<T extends Candidate>(candidates: readonly T[], tried: readonly T[]): T | undefined {
      const count = candidates.length;
      for (let step = 0; step < count; step += 1) {
        const at = (turn + step) % count;
        const candidate = candidates[at];
        if (candidate === undefined || !isUsable(candidate, tried)) continue;
        turn = at + 1;
        return candidate;
      }
      return undefined;
    },
  };
}
