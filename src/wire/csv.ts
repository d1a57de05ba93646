/**
 * CSV (RFC 4180) that spreadsheets open without running anything, and terminals print without obeying it:
 * what stands in it is what callers chose. A cell that begins like a formula gets an apostrophe in front
 * (CWE-1236); control characters and those that change the direction of text are written as their escapes.
 */
import { escapeUnprintable } from "../model/unprintable.ts";

/** Also their full-width forms, which some spreadsheets take for them, and what they skip before one. */
const FORMULA = /^[\s\p{Cc}\p{Cf}]*[=+\-@＝＋－＠|%]|^[\t\r\n]/u;

const QUOTED = /[",\r\n]|^\s|\s$/;

/** One line with its end. An undefined cell is empty. */
export function csvLine(cells: readonly (string | number | undefined)[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

function csvCell(value: string | number | undefined): string {
  if (typeof value !== "string") return value === undefined ? "" : String(value);
  // Lone surrogates are no text that UTF-8 has.
  const text = value.toWellFormed();
  const safe = escapeUnprintable(FORMULA.test(text) ? `'${text}` : text);
  return QUOTED.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
