/**
 * Patterns of the paths of SPIFFE IDs, written as routes write theirs: literal segments, `{name}` for
 * one segment, `*` at the end for one or more. Paths are compared as they are: nothing in a SPIFFE ID is
 * decoded or of either case.
 */

const LIMITS = {
  chars: 2048,
} as const;

const LITERAL = /^[A-Za-z0-9._-]+$/;
const NAMED = /^\{([A-Za-z_][A-Za-z0-9_]{0,62})\}$/;

export interface SpiffePathPattern {
  /** Names of its `{name}` segments. */
  readonly names: readonly string[];
  /** What it caught, or undefined where it does not fit. */
  fit(path: string): ReadonlyMap<string, string> | undefined;
}

/** What would be right, or undefined where it is a pattern. */
export function whyNoPathPattern(text: string): string | undefined {
  return "problem" in read(text) ? PROBLEM : undefined;
}

const PROBLEM =
  "a pattern of SPIFFE paths: /segments, {name} for one (each name once), * at the end for the rest";

/** Throws TypeError for what `whyNoPathPattern` refuses. */
export function compileSpiffePath(text: string): SpiffePathPattern {
  const found = read(text);
  if ("problem" in found) throw new TypeError("a pattern that was not checked");
  const { segments, rest } = found;
  return {
    names: segments.flatMap(({ name }) => name ?? []),
    fit(path) {
      const parts = path.split("/").slice(1);
      const enough = rest ? parts.length > segments.length : parts.length === segments.length;
      if (!enough) return undefined;
      const caught = new Map<string, string>();
      for (const [index, { name, literal }] of segments.entries()) {
        const part = parts[index] ?? "";
        if (name !== undefined) caught.set(name, part);
        else if (part !== literal) return undefined;
      }
      return caught;
    },
  };
}

interface Segment {
  readonly name?: string;
  readonly literal?: string;
}

function read(
  text: string,
): { readonly segments: readonly Segment[]; readonly rest: boolean } | { readonly problem: true } {
  if (!text.startsWith("/") || text.length > LIMITS.chars) return { problem: true };
  const parts = text.slice(1).split("/");
  const rest = parts.at(-1) === "*";
  if (rest) parts.pop();
  const names = new Set<string>();
  const segments: Segment[] = [];
  for (const part of parts) {
    const name = NAMED.exec(part)?.[1];
    if (name === undefined) {
      if (!LITERAL.test(part) || part === "." || part === "..") return { problem: true };
      segments.push({ literal: part });
      continue;
    }
    if (names.has(name)) return { problem: true };
    names.add(name);
    segments.push({ name });
  }
  return { segments, rest };
}
