/**
 * All records of a time, file by file, in the order in which they stand there: as they are, or as CSV.
 * Holds one stretch of a file at a time. Says of every line that it left out why.
 */
import { SallyportError } from "../../model/errors.ts";
import { parseRecordLine } from "../record-line.ts";
import { CSV_HEADER, csvRecord } from "./record-csv.ts";
import { createMatcher, hides, type RecordFilter } from "./filter.ts";
import { listSegments, readSegment } from "./segment-reader.ts";

export interface ExportOptions {
  readonly filter: RecordFilter;
  readonly format: "jsonl" | "csv";
  /** Settles when there is room for more. */
  readonly write: (text: string) => Promise<void>;
}

export interface Exported {
  readonly files: number;
  readonly records: number;
  /** Lines that are no records of a version that we know: not exported. */
  readonly faults: number;
  /** Whether a record of these files has its subject redacted. */
  readonly hidesSubjects: boolean;
}

/** Throws SallyportError `audit-failed`, and what `write` throws. */
export async function exportLog(
  folder: string,
  { filter, format, write }: ExportOptions,
): Promise<Exported> {
  const matches = createMatcher(filter);
  const all = await listSegments(folder);
  // An export of nothing would be taken for a time in which nothing happened.
  if (all.length === 0) {
    throw new SallyportError("audit-failed", `audit: ${folder} holds no audit-*.jsonl`);
  }
  // One that begins later has no record from before.
  const segments = all.filter(({ startMs }) => startMs < (filter.toMs ?? Infinity));
  let records = 0;
  let faults = 0;
  let hidesSubjects = false;
  if (format === "csv") await write(CSV_HEADER);
  for (const segment of segments) {
    for await (const { bytes } of readSegment(segment, 0)) {
      const out: string[] = [];
      for (const line of bytes.toString("utf8").split("\n").slice(0, -1)) {
        const record = parseRecordLine(line);
        if (record === undefined) {
          faults += 1;
          continue;
        }
        hidesSubjects ||= hides(record, "principal.subject");
        if (matches(record)) out.push(format === "csv" ? csvRecord(record) : `${line}\n`);
      }
      records += out.length;
      if (out.length > 0) await write(out.join(""));
    }
  }
  return { files: segments.length, records, faults, hidesSubjects };
}
