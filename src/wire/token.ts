/** The one grammar that methods, field names and codings share (RFC 9110 section 5.6.2). */

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether the text is a `token`: not empty, no white space, no separator, no control byte. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}
