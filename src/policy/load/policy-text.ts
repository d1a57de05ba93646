/**
 * Cuts the text of a policy file into its policies and tokens, to give the official parser one policy
 * at a time and errors a place. It judges nothing: the official parser has accepted the text before,
 * and load-policies.ts checks that both cut it alike.
 */

export interface Token {
  readonly kind: "identifier" | "integer" | "string" | "slot" | "other";
  /** As written, with quotes and escapes. */
  readonly text: string;
  /** Offset within the file, in UTF-16 code units. */
  readonly start: number;
}

/** One policy or template, from its first token to its `;`. */
export interface Statement {
  readonly text: string;
  readonly start: number;
  readonly tokens: readonly Token[];
}

/** A comment ends at CR or LF only, as in Cedar's lexer. */
const TOKEN =
  /(?<space>\s+|\/\/[^\n\r]*)|(?<identifier>[_a-zA-Z][_a-zA-Z0-9]*)|(?<integer>[0-9]+)|(?<string>"(?:\\[^]|[^"\\])*"?)|(?<slot>\?[_a-zA-Z]*)|[^]/gy;
const KINDS = ["identifier", "integer", "string", "slot"] as const;

export function splitStatements(text: string): Statement[] {
  const statements: Statement[] = [];
  let tokens: Token[] = [];
  for (const match of text.matchAll(TOKEN)) {
    const groups = match.groups ?? {};
    if (groups["space"] !== undefined) continue;
    const kind = KINDS.find((name) => groups[name] !== undefined) ?? "other";
    tokens.push({ kind, text: match[0], start: match.index });
    if (match[0] === ";") {
      statements.push(statementOf(text, tokens));
      tokens = [];
    }
  }
  if (tokens.length > 0) statements.push(statementOf(text, tokens));
  return statements;
}

/** 1-based, the column in UTF-16 code units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Returns the function that finds the place of an offset. */
export function createPlaces(text: string): (offset: number) => Place {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

/** The official engine counts UTF-8 bytes, editors count UTF-16 code units. */
export function offsetOfByte(text: string, byte: number): number {
  return Buffer.from(text, "utf8").toString("utf8", 0, byte).length;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "0": "\0" };

/** The value of a string token that the official parser has accepted. */
export function unescapeString(token: string): string {
  return token
    .slice(1, -1)
    .replaceAll(
      /\\(?:u\{([0-9a-fA-F_]+)\}|x([0-9a-fA-F]{2})|([^]))/g,
      (_all, unicode?: string, byte?: string, other?: string) => {
        const hex = unicode?.replaceAll("_", "") ?? byte;
        if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
        return ESCAPES[other ?? ""] ?? other ?? "";
      },
    );
}

/** A string token with this value. */
export function quoteString(value: string): string {
  const escaped = value.replaceAll(/["\\]|[^\P{C}]/gu, (char) =>
    char === '"' || char === "\\" ? `\\${char}` : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
  return `"${escaped}"`;
}

function statementOf(text: string, tokens: readonly Token[]): Statement {
  const start = tokens[0]?.start ?? 0;
  const last = tokens.at(-1);
  const end = last === undefined ? start : last.start + last.text.length;
  return { text: text.slice(start, end), start, tokens };
}
