/** ETags are the store's numbers; `if-match` asks that nothing has changed since (RFC 9110 section 13.1.1). */
import { AdminProblem } from "./problem.ts";

export function etagOf(number: number): string {
  return `"${number}"`;
}

/**
 * Undefined: any state will do. Throws AdminProblem for what is no ETag of ours: a weak one or a list
 * is more often a mistake than a wish, and taking it for `any` would change what was not meant.
 */
export function readIfMatch(value: string | undefined): number | undefined {
  if (value === undefined || value === "*") return undefined;
  const number = /^"(0|[1-9][0-9]{0,15})"$/.exec(value)?.[1];
  if (number !== undefined) return Number(number);
  throw new AdminProblem("invalid-input", undefined, [
    { at: "header if-match", message: "it is no ETag", remedy: 'one that was read, such as "17"' },
  ]);
}
