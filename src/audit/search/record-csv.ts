/** Records as CSV, one a row, the same columns for all. */
import type { RecordLine } from "../../model/record-feed.ts";
import { csvLine } from "../../wire/csv.ts";
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

export const CSV_HEADER: string = csvLine(COLUMNS);

export function csvRecord(record: RecordLine): string {
  const members = record as unknown as Readonly<Record<string, unknown>>;
  return csvLine(
    COLUMNS.map((name) => cellOf(name === "principal" ? principalOf(record) : members[name])),
  );
}

function cellOf(value: unknown): string | number | undefined {
  return typeof value === "string" || typeof value === "number" ? value : undefined;
}
