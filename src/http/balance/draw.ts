/** Drawing an endpoint at random, each as often as its weight says. */
import { type Candidate, isUsable } from "./balancer.ts";

/** Those that can be picked: the very same list where all can, which is nearly always. */
export function usableOf<T extends Candidate>(
  candidates: readonly T[],
  tried: readonly T[],
): readonly T[] {
  if (tried.length === 0 && candidates.every(isOpen)) return candidates;
  return candidates.filter((candidate) => isUsable(candidate, tried));
}

/** One of them; `random` is from 0 to below 1. Undefined where the list is empty. */
export function drawWeighted<T extends Candidate>(
  usable: readonly T[],
  random: number,
): T | undefined {
  let left = random * weightOf(usable);
  for (const candidate of usable) {
    left -= candidate.weight;
    if (left < 0) return candidate;
  }
  return usable.at(-1);
}

/** The sum of their weights. */
export function weightOf(candidates: readonly Candidate[]): number {
  let sum = 0;
  for (const { weight } of candidates) sum += weight;
  return sum;
}

/** Whether all have the same weight. */
export function isLevel(candidates: readonly Candidate[]): boolean {
  const first = candidates[0]?.weight;
  return candidates.every(({ weight }) => weight === first);
}

function isOpen(candidate: Candidate): boolean {
  return candidate.open;
}
