/**
 * Recorded paths as a condition that takes them and as little else as is safe. A segment that can only be
 * an identifier (digits, a UUID, a ULID, a long hexadecimal number) stands for any one segment; all others
 * stay as they are. `*` of Cedar's `like` takes slashes too, so the number of segments is held as well.
 */

const LIMITS = {
  /** Patterns in one condition; a person reads it. With more of them the path is left open, and said to be. */
  patterns: 50,
} as const;

const IDENTIFIER =
  /^(?:\d+|[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-7][0-9A-HJKMNP-TV-Z]{25})$/i;
const ANY = "*";

/** A path of which some segments stand for any. */
export function patternOf(path: string): string {
  return path
    .split("/")
    .map((segment) => (IDENTIFIER.test(segment) ? ANY : segment.replaceAll("*", "\\*")))
    .join("/");
}

/** The pattern that takes this path and no other. */
export function literalPattern(path: string): string {
  return path.replaceAll("*", "\\*");
}

/** Whether some segment of the pattern stands for any. */
export function isGeneral(pattern: string): boolean {
  return pattern.split("/").includes(ANY);
}

/** Cedar text; undefined where there are too many to name. */
export function pathCondition(patterns: readonly string[]): string | undefined {
  if (patterns.length > LIMITS.patterns) return undefined;
  const exact = patterns.filter((pattern) => !isGeneral(pattern));
  const terms = patterns.filter(isGeneral).toSorted().map(generalTerm);
  const named = exact.toSorted().map((pattern) => quoted(pattern.replaceAll("\\*", "*")));
  const [only] = named;
  if (named.length === 1 && only !== undefined) terms.unshift(`context.path == ${only}`);
  if (named.length > 1) terms.unshift(`[${named.join(", ")}].contains(context.path)`);
  return terms.length === 1 ? terms[0] : `(${terms.join(" ||\n    ")})`;
}

/** No more slashes than the pattern has, so that each `*` is one segment. */
function generalTerm(pattern: string): string {
  const more = "/*".repeat(pattern.split("/").length);
  return `(context.path like "${escaped(pattern)}" && !(context.path like "${more}"))`;
}

/** A Cedar string. */
export function quoted(text: string): string {
  return `"${escaped(text.replaceAll("\\", "\\\\"))}"`;
}

/** `\*` of a pattern stays as it is; paths have no other backslash. */
function escaped(text: string): string {
  return text
    .replaceAll('"', '\\"')
    .replaceAll(
      /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
      (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`,
    );
}
