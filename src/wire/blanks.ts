/**
 * Optional white space (RFC 9110 section 5.6.3): SP and HTAB, nothing else.
 *
 * `String.trim` takes U+00A0 for white space, which here is a byte of a value; and regular expressions
 * such as `[ \t]+$` take quadratic time on a long run of blanks inside the text.
 */

/** The text without the blanks around it. */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
