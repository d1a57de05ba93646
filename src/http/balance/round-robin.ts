/**
 * Takes the endpoints in turn. Where weights differ, each turn goes to the one that is furthest
 * behind its share (the smooth weighted round robin that nginx uses), so that an endpoint of weight
 * 5 among two of weight 1 gets a a b a c a a and not a a a a a b c.
 */
import { type Balancer, type Candidate, isUsable } from "./balancer.ts";
import { isLevel } from "./draw.ts";

export function createRoundRobin(): Balancer {
  let known: readonly Candidate[] | undefined;
  let level = true;
  let turn = 0;
  /** How far each is behind its share. */
  let behind: number[] = [];
  return {
    pick<T extends Candidate>(candidates: readonly T[], tried: readonly T[]): T | undefined {
      if (known !== candidates) {
        known = candidates;
        level = isLevel(candidates);
        behind = candidates.map(() => 0);
      }
      if (!level) return furthestBehind(candidates, tried, behind);
      const at = firstFrom(turn, candidates, tried);
      if (at === -1) return undefined;
      turn = at + 1;
      return candidates[at];
    },
  };
}

/** Index of the first usable one from `turn` on; -1 where there is none. */
function firstFrom<T extends Candidate>(
  turn: number,
  candidates: readonly T[],
  tried: readonly T[],
): number {
  const count = candidates.length;
  for (let step = 0; step < count; step += 1) {
    const at = (turn + step) % count;
    const candidate = candidates[at];
    if (candidate !== undefined && isUsable(candidate, tried)) return at;
  }
  return -1;
}

function furthestBehind<T extends Candidate>(
  candidates: readonly T[],
  tried: readonly T[],
  behind: number[],
): T | undefined {
  let best = -1;
  let total = 0;
  for (const [index, candidate] of candidates.entries()) {
    if (!isUsable(candidate, tried)) continue;
    total += candidate.weight;
    const now = (behind[index] ?? 0) + candidate.weight;
    behind[index] = now;
    if (best === -1 || now > (behind[best] ?? 0)) best = index;
  }
  if (best === -1) return undefined;
  behind[best] = (behind[best] ?? 0) - total;
  return candidates[best];
}
