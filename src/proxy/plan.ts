/** What the proxy does on one route once the gate has permitted: compiled once from its options. */
import type { Permit } from "../gate/decision.ts";
import type { Upstream } from "../http/exchange.ts";

export interface ForwardPlan {
  readonly upstream: Upstream;
  /** What the service's consistent hashing goes by; undefined where it balances in another way. */
  readonly hashKey: ((permit: Permit) => string | undefined) | undefined;
  /** Segments of the pattern before `*`, replaced by `prefix`; undefined: the path goes as it is. */
  readonly rewrite: { readonly segments: number; readonly prefix: string } | undefined;
  readonly request: HeaderRules;
  readonly response: HeaderRules;
  /** Whether the caller's Authorization is passed on (`credentials: forward`). */
  readonly forwardCredentials: boolean;
  readonly pathParameters: boolean;
  readonly connectTimeoutMs: number;
  readonly responseTimeoutMs: number;
  readonly totalTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxBodyBytes: number;
}

/** Drop, strip, then set (design section 5, rule 2); names are lower-case, values checked at load. */
export interface HeaderRules {
  readonly remove: ReadonlySet<string>;
  /** Name, value, name, value, … */
  readonly set: readonly string[];
}
