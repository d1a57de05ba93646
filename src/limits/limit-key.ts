/**
 * Whom a limit counts a request for. Keys of different kinds begin differently, so that no subject
 * that somebody chooses can be counted as an address or as somebody else.
 */
import { hash } from "node:crypto";
import { type Principal, principalId } from "../model/principal.ts";
import { Recurring } from "../model/recurring.ts";
import { networkOf } from "./failure-budget.ts";
import type { LimitBy } from "./limit-options.ts";

/** What a limit may know of a request. */
export interface LimitedCaller {
  readonly principal: Principal;
  /** The client's address. */
  readonly address: string;
}

const LIMITS = {
  /** Characters of a key; longer ones are hashed, so that a table of keys has a size. */
  chars: 128,
} as const;

/** Compiles `by` to the function that makes the key. */
export function limitKey(by: LimitBy): (caller: LimitedCaller) => string {
  if (by === "route") return () => "";
  if (by === "address") return ({ address }) => addressKey(address);
  const keyOf = remembered(
    by === "principal" ? principalKey : by === "issuer" ? issuerKey : attributeKey(by.attribute),
  );
  return ({ principal, address }) =>
    principal.kind === "anonymous" ? addressKey(address) : keyOf(principal);
}

function addressKey(address: string): string {
  return `@${networkOf(address)}`;
}

function principalKey(principal: Principal): string {
  return `p${principalId(principal)}`;
}

function issuerKey(principal: Principal): string {
  return `i${principal.authenticator}`;
}

/** The value with its type and its authenticator: one issuer cannot use up what another's callers have. */
function attributeKey(name: string): (principal: Principal) => string {
  return (principal) => {
    const value = principal.attributes[name];
    const text = typeof value === "bigint" ? value.toString() : JSON.stringify(value);
    return `a${principal.authenticator}/${typeof value}/${text}`;
  };
}

/** One text for each principal: it is the same value for as long as its credential is remembered. */
function remembered(make: (principal: Principal) => string): (principal: Principal) => string {
  const keys = new Recurring<Principal, string>();
  return (principal) => {
    const known = keys.get(principal);
    if (known !== undefined) return known;
    const whole = make(principal);
    const key = whole.length > LIMITS.chars ? `#${hash("sha256", whole, "base64url")}` : whole;
    if (keys.again(principal)) keys.keep(principal, key);
    return key;
  };
}
