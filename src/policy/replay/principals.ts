/**
 * Gives one object for all records of a principal, as the gate has it for all requests that carry one
 * credential: what policies see of it is then made once and not once a record.
 */
import type { Principal } from "../../model/principal.ts";

const LIMITS = {
  /** Principals at a time; each has some kilobytes of roles and groups at most. */
  kept: 8192,
} as const;

export class Principals {
  /** By subject: joining it with the rest would cost as much as a decision, and two of one name are rare. */
  #kept = new Map<string, Principal>();

  /** Roles, groups or attributes may have changed since: then the one given counts from now on. */
  same(principal: Principal): Principal {
    const { subject } = principal;
    const known = this.#kept.get(subject);
    if (known !== undefined && isSame(known, principal)) return known;
    if (this.#kept.size >= LIMITS.kept) this.#kept = new Map();
    this.#kept.set(subject, principal);
    return principal;
  }
}

/** The subject is. */
function isSame(one: Principal, other: Principal): boolean {
  if (one.kind !== other.kind || one.authenticator !== other.authenticator) return false;
  if (!sameTexts(one.roles, other.roles) || !sameTexts(one.groups, other.groups)) return false;
  return sameAttributes(one.attributes, other.attributes);
}

function sameAttributes(one: Principal["attributes"], other: Principal["attributes"]): boolean {
  let count = 0;
  for (const name in one) {
    count += 1;
    const [value, wanted] = [one[name], other[name]];
    if (value === wanted) continue;
    if (typeof value !== "object" || typeof wanted !== "object") return false;
    if (!sameTexts(value, wanted)) return false;
  }
  for (const _ in other) count -= 1;
  return count === 0;
}

function sameTexts(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}
