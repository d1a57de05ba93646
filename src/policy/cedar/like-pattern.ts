/** The pattern of `like`: literal pieces with `*` for any run of characters between them. */

/** Pieces as the policy JSON gives them: one `Literal` per character. */
export type PatternJson = readonly ("Wildcard" | { readonly Literal: string })[];

/**
 * Returns the test. Its time is bounded by text length times pattern length: each piece is looked for
 * once, leftmost first, which is right because a later place never makes more room.
 */
export function compilePattern(pattern: PatternJson): (text: string) => boolean {
  const pieces = [""];
  for (const element of pattern) {
    if (element === "Wildcard") pieces.push("");
    else pieces[pieces.length - 1] += element.Literal;
  }
  const first = pieces[0] ?? "";
  if (pieces.length === 1) return (text) => text === first;
  const last = pieces.at(-1) ?? "";
  const middle = pieces.slice(1, -1).filter((piece) => piece !== "");
  if (middle.length === 0 && last === "") return (text) => text.startsWith(first);
  return (text) => {
    const end = text.length - last.length;
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let from = first.length;
    for (const piece of middle) {
      const at = text.indexOf(piece, from);
      if (at < 0 || at + piece.length > end) return false;
      from = at + piece.length;
    }
    return true;
  };
}
