/**
 * Patterns of names in certificates. `*` stands for one or more letters within the part of the name that it is in,
 * and never reaches into the next: a label of a DNS name, a part of a subject, a segment of a URI, one
 * side of an e-mail address. So no name can be made that fits by holding what a pattern ends in.
 *
 * Takes time in proportion to the name, whatever the pattern (no regular expression is made of it).
 */

export type NameKind = "dns" | "uri" | "email" | "subject" | "commonName";

const LIMITS = {
  /** Of a name that is compared; a longer one fits nothing. */
  chars: 2048,
} as const;

export interface NamePattern {
  fits(name: string): boolean;
}

export function compileNamePattern(kind: NameKind, text: string): NamePattern {
  const fold = kind === "dns";
  const pattern = units(kind, fold ? text.toLowerCase() : text);
  const borders = BORDERS[kind];
  return {
    fits(name) {
      if (name.length > LIMITS.chars) return false;
      return glob(pattern, units(kind, fold ? name.toLowerCase() : name), borders);
    },
  };
}

/** What `*` does not stand for. */
const BORDERS: Readonly<Record<NameKind, ReadonlySet<string>>> = {
  dns: new Set("."),
  uri: new Set("/?#:@"),
  email: new Set("@"),
  subject: new Set(",+="),
  commonName: new Set(),
};

/** Letters; in a subject with what escapes them (RFC 4514 section 2.4), so that `\,` is no border. */
function units(kind: NameKind, text: string): readonly string[] {
  return text.match(kind === "subject" ? /\\.|[^\\]|\\$/gsu : /./gsu) ?? [];
}

/** One star is tried again at a time, the last one: an earlier one has no other place to end at. */
function glob(
  pattern: readonly string[],
  name: readonly string[],
  borders: ReadonlySet<string>,
): boolean {
  let at = 0;
  let star = -1;
  let from = 0;
  for (let index = 0; index < name.length;) {
    if (pattern[at] === "*") star = at;
    else if (at < pattern.length && pattern[at] === name[index]) {
      at += 1;
      index += 1;
      continue;
    } else if (star === -1) return false;
    else index = from;
    // The star takes one letter, or one more, unless that is a border.
    if (borders.has(name[index] ?? "")) return false;
    index += 1;
    from = index;
    at = star + 1;
  }
  return at === pattern.length;
}
