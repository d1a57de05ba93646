/**
 * Where the parts of a policy stand in its text: the three constraints of its scope, the bodies of its
 * conditions, and the terms that a body joins at its top. It reads tokens and judges nothing: the official
 * parser has accepted the text.
 */
import type { Token } from "../load/policy-text.ts";

type Tokens = readonly Token[];

export interface PolicyParts {
  /** `principal …`, `action …`, `resource …`. */
  readonly scope: readonly Tokens[];
  readonly conditions: readonly ConditionPart[];
}

export interface ConditionPart {
  readonly kind: "when" | "unless";
  /** Between the braces. */
  readonly body: Tokens;
}

/** Of the tokens of one statement. */
export function partsOfPolicy(tokens: Tokens): PolicyParts {
  const effect = tokens.findIndex(
    ({ kind, text }, index) =>
      kind === "identifier" && EFFECTS.has(text) && tokens[index - 1]?.text !== "@",
  );
  const close = closing(tokens, effect + 1);
  const scope = split(tokens.slice(effect + 2, close), ",").filter(({ length }) => length > 0);
  const conditions: ConditionPart[] = [];
  for (let at = close + 1; at < tokens.length;) {
    const kind = tokens[at]?.text;
    if (kind !== "when" && kind !== "unless") break;
    const end = closing(tokens, at + 1);
    conditions.push({ kind, body: tokens.slice(at + 2, end) });
    at = end + 1;
  }
  return { scope, conditions };
}

/**
 * The terms that `&&` (or `||`) joins, with those of brackets among them, in the order in which they are
 * evaluated; the whole where it joins none.
 */
export function termsOf(tokens: Tokens, operator: "&&" | "||"): readonly Tokens[] {
  const inner = withoutBrackets(tokens);
  if (inner[0]?.text === "if") return [tokens];
  // `&&` binds tighter: where both stand, the whole is an `||`.
  if (operator === "&&" && split(inner, "||").length > 1) return [tokens];
  const terms = split(inner, operator);
  if (terms.length < 2) return [tokens];
  return terms.flatMap((term) => termsOf(term, operator));
}

const EFFECTS: ReadonlySet<string> = new Set(["permit", "forbid"]);
const OPENING = "([{";
const CLOSING = ")]}";

/** `( … )` around the whole, as often as it stands there. */
function withoutBrackets(tokens: Tokens): Tokens {
  let inner = tokens;
  while (inner[0]?.text === "(" && closing(inner, 0) === inner.length - 1) {
    inner = inner.slice(1, -1);
  }
  return inner;
}

/** Index of the bracket that closes the one at `open`. */
function closing(tokens: Tokens, open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    depth += step(tokens[at]);
    if (depth === 0) return at;
  }
  return tokens.length;
}

/** Cut at the separator wherever it stands in no bracket. */
function split(tokens: Tokens, separator: string): Tokens[] {
  const parts: Tokens[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < tokens.length; at++) {
    depth += step(tokens[at]);
    if (depth !== 0 || !stands(tokens, at, separator)) continue;
    parts.push(tokens.slice(from, at));
    from = at + separator.length;
    at = from - 1;
  }
  parts.push(tokens.slice(from));
  return parts;
}

/** A separator is made of tokens of one character. */
function stands(tokens: Tokens, at: number, separator: string): boolean {
  for (let index = 0; index < separator.length; index++) {
    if (tokens[at + index]?.text !== separator[index]) return false;
  }
  return true;
}

function step(token: Token | undefined): number {
  if (token?.kind !== "other") return 0;
  if (OPENING.includes(token.text)) return 1;
  return CLOSING.includes(token.text) ? -1 : 0;
}
