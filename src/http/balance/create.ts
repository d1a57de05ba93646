/** The balancer that `balance` names. */
import type { Balancer } from "./balancer.ts";
import { type ConsistentHashOptions, createConsistentHash } from "./consistent-hash.ts";
import { createLeastRequests } from "./least-requests.ts";
import { createRandom } from "./random.ts";
import { createRoundRobin } from "./round-robin.ts";

export const BALANCERS = ["round-robin", "least-requests", "random", "consistent-hash"] as const;

export type BalancerName = (typeof BALANCERS)[number];

/** `random` is from 0 to below 1. */
export function createBalancer(
  name: BalancerName,
  hash: ConsistentHashOptions,
  random: () => number,
): Balancer {
  if (name === "round-robin") return createRoundRobin();
  if (name === "least-requests") return createLeastRequests(random);
  return name === "random" ? createRandom(random) : createConsistentHash(hash, random);
}
