/** What the proxy does on one route once the gate has permitted: compiled once from its options. */
import type { Permit } from "../gate/decision.ts";
import {
  type HeaderChanges,
  type HeaderRename,
  type HeaderTemplate,
  split,
} from "../gate/header-options.ts";
import type { Upstream } from "../http/exchange.ts";
import type { Fields } from "../model/http.ts";
import type { IdentityFields } from "./identity-fields.ts";
import type { PathRewrite } from "./rewrite.ts";

export interface ForwardPlan {
  readonly upstream: Upstream;
  /** What the service's consistent hashing goes by; undefined where it balances in another way. */
  readonly hashKey: ((permit: Permit) => string | undefined) | undefined;
  /** Undefined: the path goes as it is. */
  readonly rewrite: PathRewrite | undefined;
  /** What `Host` says; undefined: what the caller's said. */
  readonly host: string | undefined;
  readonly request: HeaderRules;
  readonly response: HeaderRules;
  /** What tells the service who is calling; undefined: nothing does. */
  readonly identity?: IdentityFields | undefined;
  /** Whether the caller's credentials are passed on (`credentials: forward`). */
  readonly forwardCredentials: boolean;
  /** Whether browsers may have cookies of ours, which services neither see nor set. */
  readonly ownCookies: boolean;
  readonly connectTimeoutMs: number;
  readonly responseTimeoutMs: number;
  readonly totalTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Undefined: responses are no streams. `Infinity`: they have no bound. */
  readonly lifetimeMs: number | undefined;
  readonly maxBodyBytes: number;
}

/** Drop, strip, then these (design section 5, rule 2); names are lower-case, constants checked at load. */
export interface HeaderRules {
  readonly rename: readonly HeaderRename[];
  readonly remove: readonly string[];
  /** Name, value, name, value, …; fields of these names are removed in every spelling. */
  readonly set: Fields;
  /** As `set`, but fields of exactly these names stay. */
  readonly add: Fields;
  /** Those of `set` and of `add` whose values each request has its own of. */
  readonly varying: {
    readonly set: readonly HeaderTemplate[];
    readonly add: readonly HeaderTemplate[];
  };
}

/** From a route's options; without any: rules that change nothing. */
export function headerRules(changes: HeaderChanges = {}): HeaderRules {
  const set = split(changes.set ?? []);
  const add = split(changes.add ?? []);
  return {
    rename: changes.rename ?? [],
    remove: changes.remove ?? [],
    set: set.constant,
    add: add.constant,
    varying: { set: set.varying, add: add.varying },
  };
}
