/**
 * A path made anew from the segments of another: `/v2/{id}/*` from `/items/{id}/*`. Segments are taken
 * as the canonical path has them, still encoded, and the result is canonicalised again: where it could
 * be read in two ways there is none.
 */
import { canonicalPath } from "../wire/path.ts";

/** Literal text, a segment of the received path, or all from a segment on. */
type Piece = string | { readonly segment: number } | { readonly from: number };

/** Makes the function from a canonical path that matches `path` to one of the form `pattern`. */
export function createPathShape(
  pattern: string,
  path: string,
  pathParameters: boolean,
): (received: string) => string | undefined {
  const segments = path.slice(1).split("/");
  const pieces = pattern
    .slice(1)
    .split("/")
    .map((text): Piece => {
      if (text === "*") return { from: segments.indexOf("*") };
      return text.startsWith("{") ? { segment: segments.indexOf(text) } : text;
    });
  const options = { pathParameters: pathParameters ? "allow" : "refuse" } as const;
  return (received) => {
    const parts = received.slice(1).split("/");
    if (parts.length < segments.length) return undefined;
    const made = pieces.map((piece) => {
      if (typeof piece === "string") return piece;
      return "segment" in piece ? parts[piece.segment] : parts.slice(piece.from).join("/");
    });
    const result = canonicalPath(`/${made.join("/")}`, options);
    return "path" in result ? result.path : undefined;
  };
}
