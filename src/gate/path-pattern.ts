/**
 * The path of a route: literal segments, `{name}` for exactly one segment, `*` at the end for the
 * rest. `/billing/*` does not match `/billing`.
 *
 * Refused is a literal that is not canonical (design: canonicalise once): no canonical request path
 * equals it, so the route would never match, and what it was to protect would lie elsewhere.
 */
import { canonicalPath } from "../wire/path.ts";

export type PathSegment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "param"; readonly name: string }
  | { readonly kind: "rest" };

const LIMITS = {
  /** Segments of a route's path; a request path may have more under `*`. */
  segments: 64,
} as const;

/** Segments in order (a path that ends in `/` ends in an empty literal), or what would be right. */
export function parsePathPattern(
  path: string,
): { readonly segments: readonly PathSegment[] } | { readonly remedy: string } {
  if (!path.startsWith("/")) return { remedy: "a path that begins with '/'" };
  const texts = path.slice(1).split("/");
  if (texts.length > LIMITS.segments) return { remedy: `at most ${LIMITS.segments} segments` };
  const segments: PathSegment[] = [];
  const names = new Set<string>();
  for (const [index, text] of texts.entries()) {
    const last = index === texts.length - 1;
    const remedy = segmentRemedy(text, last) ?? repeatedName(text, names);
    if (remedy !== undefined) return { remedy };
    if (text === "*") segments.push({ kind: "rest" });
    else if (text.startsWith("{")) segments.push({ kind: "param", name: text.slice(1, -1) });
    else segments.push({ kind: "literal", text });
  }
  return { segments };
}

/** A parameter is a key of an object, where `__proto__` would be lost. */
const PARAM = /^\{(?!__proto__\})[A-Za-z_][A-Za-z0-9_]{0,62}\}$/;

function segmentRemedy(text: string, last: boolean): string | undefined {
  if (text === "*") return last ? undefined : "'*' only as the last segment";
  if (text.includes("{") || text.includes("}")) {
    return PARAM.test(text)
      ? undefined
      : "a parameter that is a whole segment, such as {id} (letters, digits and '_')";
  }
  if (text.includes("*")) return "'*' only as a whole last segment";
  if (text === "" && !last) return "a path without empty segments ('//')";
  const canonical = canonicalPath(`/${text}`, { pathParameters: "allow" });
  if ("detail" in canonical) return `a path without ${canonical.detail}: such requests are refused`;
  if (text === "." || text === "..") return "the canonical form, without '.' and '..'";
  if (canonical.path !== `/${text}`) return `the canonical form, here "${canonical.path.slice(1)}"`;
  return undefined;
}

function repeatedName(text: string, names: Set<string>): string | undefined {
  if (!text.startsWith("{")) return undefined;
  if (names.has(text)) return `each parameter once; ${text} stands twice`;
  names.add(text);
  return undefined;
}
