/** What this process may not have. */
import { AdminProblem } from "./problem.ts";

const KEPT_BY_AUTHORITIES =
  "ask the authority, or let this process be one (authority with issuer, store and keyEncryptionKey)";

/** Throws AdminProblem `not-here` with where it would be. */
export function present<T>(
  desk: T | undefined,
  what: string,
  remedy: string = KEPT_BY_AUTHORITIES,
): T {
  if (desk !== undefined) return desk;
  throw new AdminProblem("not-here", `this process keeps no ${what}; ${remedy}`);
}

/** Throws AdminProblem `not-found`. */
export function found<T>(thing: T | undefined): T {
  if (thing === undefined) throw new AdminProblem("not-found");
  return thing;
}
