/** Policies that the official engine would not survive: it has to be asked before the engine is. */
import type { Statement } from "./policy-text.ts";

const LIMITS = {
  /** The official engine's stack ends at some 90 nested brackets (tried), and takes it down with it. */
  nesting: 64,
  /** And at some 1 500 operators in a chain. */
  operators: 1000,
} as const;

/** What is said of one. */
export const TOO_DEEP = {
  message: "the policy is too long or too deeply nested",
  remedy:
    `at most ${String(LIMITS.nesting)} nested brackets and ${String(LIMITS.operators)} ` +
    "operators: split it, or use a set and contains",
} as const;

export function isTooDeep({ tokens }: Statement): boolean {
  let depth = 0;
  let deepest = 0;
  let conditionals = 0;
  let operators = 0;
  for (const { kind, text } of tokens) {
    if (text === "if") conditionals += 1;
    if (kind !== "other") continue;
    if ("([{".includes(text)) deepest = Math.max(deepest, ++depth);
    else if (")]}".includes(text)) depth -= 1;
    else if ("+-*".includes(text)) operators += 1;
    else if ("|&".includes(text)) operators += 0.5;
  }
  return deepest + conditionals > LIMITS.nesting || operators > LIMITS.operators;
}
