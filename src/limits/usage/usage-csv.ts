/**
 * CSV (RFC 4180) that spreadsheets open without running anything: names of principals are what others
 * chose. A cell that begins like a formula gets an apostrophe in front (CWE-1236).
 */

/** Also their full-width forms, which some spreadsheets take for them, and what they skip before one. */
const FORMULA = /^[\s\p{Cc}\p{Cf}]*[=+\-@＝＋－＠|%]|^[\t\r\n]/u;

const QUOTED = /[",\r\n]|^\s|\s$/;

/** One line with its end. */
export function csvLine(cells: readonly (string | number)[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

function csvCell(value: string | number): string {
  if (typeof value === "number") return String(value);
  // Lone surrogates are no text that UTF-8 has.
  const text = value.toWellFormed();
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return QUOTED.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
