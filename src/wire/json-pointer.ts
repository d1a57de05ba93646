/** JSON Pointers (RFC 6901): where in a document something stands. */

/** Decoded reference tokens from the root on. */
export type JsonPointer = readonly string[];

const LIMITS = {
  /** Deeper documents are refused anyway. */
  tokens: 64,
  /** Characters of a pointer as it is written. */
  length: 1024,
} as const;

/** Undefined where the text is not one. The empty text is the whole document. */
export function parsePointer(text: string): JsonPointer | undefined {
  if (text.length > LIMITS.length || !text.isWellFormed()) return undefined;
  if (text === "") return [];
  if (!text.startsWith("/") || /~(?![01])/.test(text)) return undefined;
  const tokens = text
    .slice(1)
    .split("/")
    // Section 4: first ~1, then ~0, so that ~01 is ~1.
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
  return tokens.length > LIMITS.tokens ? undefined : tokens;
}

/** Whether what stands at `inner` is `outer` or a part of it. */
export function isWithin(inner: JsonPointer, outer: JsonPointer): boolean {
  return outer.every((token, index) => inner[index] === token);
}
