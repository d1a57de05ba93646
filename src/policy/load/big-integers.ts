/**
 * The official engine hands over policies as JSON, which rounds integers beyond 2^53: a policy would
 * then compare with a number that nobody wrote. So each such literal goes in as a placeholder that
 * survives, and comes out as `{ __long: digits }`. The official parser has checked the original text
 * before, range included.
 */
import type { ExpressionJson, PolicyJson } from "../cedar/policy-json.ts";
import type { Statement } from "./policy-text.ts";

/** Placeholder (positive) to the digits that it stands for. */
export type Placeholders = ReadonlyMap<number, string>;

const NONE: Placeholders = new Map();

/** The text to give to the official engine in place of the statement's own. */
export function withPlaceholders(statement: Statement): {
  readonly text: string;
  readonly placeholders: Placeholders;
} {
  const integers = statement.tokens.filter(({ kind }) => kind === "integer");
  const unsafe = integers.filter(({ text }) => !isSafe(text));
  if (unsafe.length === 0) return { text: statement.text, placeholders: NONE };
  const taken = new Set(
    integers.filter(({ text }) => isSafe(text)).map(({ text }) => Number(text)),
  );
  const placeholders = new Map<number, string>();
  let next = Number.MAX_SAFE_INTEGER;
  let text = "";
  let copied = 0;
  for (const token of unsafe) {
    while (taken.has(next)) next -= 1;
    placeholders.set(next, token.text);
    const at = token.start - statement.start;
    text += statement.text.slice(copied, at) + String(next);
    copied = at + token.text.length;
    next -= 1;
  }
  return { text: text + statement.text.slice(copied), placeholders };
}

/** Puts the digits back, in place. */
export function restoreIntegers(policy: PolicyJson, placeholders: Placeholders): void {
  if (placeholders.size === 0) return;
  const waiting: unknown[] = policy.conditions.map(({ body }) => body);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next !== "object" || next === null) continue;
    for (const [name, child] of Object.entries(next)) {
      const digits = typeof child === "number" ? placeholders.get(Math.abs(child)) : undefined;
      if (name === "Value" && typeof child === "number" && digits !== undefined) {
        const restored = { __long: child < 0 ? `-${digits}` : digits };
        (next as { Value: ExpressionJson }).Value = restored;
      } else {
        waiting.push(child);
      }
    }
  }
}

function isSafe(digits: string): boolean {
  return Number.isSafeInteger(Number(digits));
}
