/** Finds where a head ends. The parsers take complete heads only. */

const BLANK_LINE = Buffer.from("\r\n\r\n", "latin1");
const BARE_BLANK_LINES = [Buffer.from("\n\n", "latin1"), Buffer.from("\n\r\n", "latin1")] as const;

/**
 * Index just after the first CRLF CRLF at or after `start`, or -1.
 *
 * `searchedTo` is where the bytes ended when the last search came back empty (`start` at first), so
 * that a head which arrives byte by byte costs no more than one that comes at once. Where there is
 * none, but an empty line made of bare LFs, it returns the end of that one: the parser then refuses
 * the head at once, and the sender does not wait for a timeout to learn why.
 */
export function findHeadEnd(buffer: Buffer, start: number, searchedTo: number): number {
  const before = searchedTo - (BLANK_LINE.length - 1);
  const from = before > start ? before : start;
  const at = buffer.indexOf(BLANK_LINE, from);
  if (at !== -1) return at + BLANK_LINE.length;
  for (const bare of BARE_BLANK_LINES) {
    const end = buffer.indexOf(bare, from);
    if (end !== -1) return end + bare.length;
  }
  return -1;
}
