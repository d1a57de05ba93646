/**
 * Characters that a terminal obeys, or that a reader does not see: what a caller sent must not move the cursor,
 * end a line, turn the direction of what follows, or make two names look like one.
 */

/** C0 and C1 controls, line separators, marks of direction, and what takes no room (UAX 9, Unicode 16 section 23). */
const CLASS = String.raw`\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff`;

const UNPRINTABLE = new RegExp(`[${CLASS}]`);
const ALL = new RegExp(UNPRINTABLE, "g");

/**
 * Each as its escape in JSON: text of JSON means the same. Tabs and line ends stay: in JSON they stand between
 * values only, and in CSV they are what a cell may hold.
 */
export function escapeUnprintable(text: string): string {
  // Nearly no text has one, and to look costs less than to replace.
  return UNPRINTABLE.test(text) ? text.replaceAll(ALL, escapedUnit) : text;
}

function escapedUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
