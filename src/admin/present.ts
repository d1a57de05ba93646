/** What this process may not have. */
import { AdminProblem } from "./problem.ts";

/** Throws AdminProblem `not-here` with where it would be. */
export function present<T>(desk: T | undefined, what: string): T {
  if (desk !== undefined) return desk;
  throw new AdminProblem("not-here", `this process keeps no ${what}; ask the authority`);
}

/** Throws AdminProblem `not-found`. */
export function found<T>(thing: T | undefined): T {
  if (thing === undefined) throw new AdminProblem("not-found");
  return thing;
}
