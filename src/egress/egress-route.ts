/** One service that may be reached, ready to be. */
import type { Upstream } from "../http/exchange.ts";
import type { DpopProver } from "./dpop-prover.ts";
import type { KeyKeeper } from "./key-keeper.ts";

export interface EgressRoute {
  readonly upstream: Upstream;
  readonly keeper: KeyKeeper;
  /** How its ingress is known: what proofs are made for, and what Host says. */
  readonly origin: string;
  readonly host: string;
  /** Undefined where keys are not bound to a key of ours. */
  readonly prover: DpopProver | undefined;
  /** What its ingress last asked proofs to hold (RFC 9449 section 8). */
  readonly nonce: { current: string | undefined };
  readonly connectTimeoutMs: number;
  readonly responseTimeoutMs: number;
  readonly totalTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly lifetimeMs: number | undefined;
}
