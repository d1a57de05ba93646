/**
 * Records as CSV (RFC 4180), one a row, the same columns for all. A cell that a spreadsheet would take
 * for a formula gets an apostrophe before it: callers choose paths and names.
 */
import type { RecordLine } from "../../model/record-feed.ts";
import { principalOf } from "./filter.ts";

const COLUMNS = [
  "time",
  "type",
  "decisionId",
  "decision",
  "reason",
  "principal",
  "route",
  "service",
  "action",
  "method",
  "host",
  "path",
  "query",
  "peerAddress",
  "clientAddress",
  "requestId",
  "detail",
  "bundle",
  "status",
  "end",
  "durationMs",
  "requestBytes",
  "responseBytes",
  "upstream",
  "event",
  "address",
] as const;

export const CSV_HEADER: string = csvRow(COLUMNS);

export function csvRecord(record: RecordLine): string {
  const members = record as unknown as Readonly<Record<string, unknown>>;
  return csvRow(
    COLUMNS.map((name) => (name === "principal" ? principalOf(record) : members[name])),
  );
}

/** With its line end. */
export function csvRow(cells: readonly unknown[]): string {
  return `${cells.map(cellText).join(",")}\r\n`;
}

function cellText(value: unknown): string {
  if (typeof value !== "string") return typeof value === "number" ? String(value) : "";
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
