/** Finds where a head ends. The parsers take complete heads only. */

const BLANK_LINE = Buffer.from("\r\n\r\n", "latin1");

/**
 * Index just after the first CRLF CRLF at or after `start`, or -1.
 *
 * `searchedTo` is where the bytes ended when the last search came back empty (`start` at first), so
 * that a head which arrives byte by byte costs no more than one that comes at once.
 */
export function findHeadEnd(buffer: Buffer, start: number, searchedTo: number): number {
  const from = searchedTo - (BLANK_LINE.length - 1);
  const at = buffer.indexOf(BLANK_LINE, from > start ? from : start);
  return at === -1 ? -1 : at + BLANK_LINE.length;
}
