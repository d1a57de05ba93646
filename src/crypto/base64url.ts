/**
 * base64url without padding (RFC 7515 section 2), read strictly.
 *
 * One byte string has exactly one accepted text: padding, foreign characters, white space and
 * unused bits that are not zero are refused. A lenient reader would let the same token exist in
 * many spellings, each with its own hash.
 */

/** The bytes, or undefined where the text is not the canonical encoding of any. */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}
