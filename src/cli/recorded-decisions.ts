/** The decisions of an audit log that a command is to look at, in the order of the files. */
import { createRecordReader, isCompletionLine } from "../audit/fast-record.ts";
import { logFiles, readLines } from "../audit/read-log.ts";
import { isRecordFault, type RecordedDecision } from "../audit/record-schema.ts";
import { writtenTime } from "../audit/written-time.ts";
import { SallyportError } from "../model/errors.ts";

export interface DecisionFilter {
  /** Folder of a log, or one of its files. */
  readonly from: string;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** Names of routes; none: all. */
  readonly route: readonly string[];
}

/** What was read. */
export interface ReadCounts {
  readonly files: number;
  /** Lines that are no records of a version that we know, and torn ones. */
  readonly faults: number;
  /** What is wrong with the first of them. */
  readonly firstFault: string | undefined;
  /** All records, of which some are no decisions, or not asked for. */
  readonly records: number;
}

/**
 * Gives each to `take`, in this thread: a promise for each record would cost as much as the record.
 * Throws SallyportError `audit-failed` where the log cannot be read, and for a time that is none.
 */
export async function eachDecision(
  filter: DecisionFilter,
  take: (record: RecordedDecision) => void,
): Promise<ReadCounts> {
  const since = timeText(filter.since, "--since");
  const until = timeText(filter.until, "--until");
  const wanted = new Set(filter.route);
  const read = createRecordReader();
  const files = await logFiles(filter.from, until === undefined ? undefined : Date.parse(until));
  const counts = { faults: 0, firstFault: undefined as string | undefined, records: 0 };
  const fault = (what: string): void => {
    counts.faults += 1;
    counts.firstFault ??= what;
  };
  const one = (line: string, file: string): void => {
    counts.records += 1;
    if (isCompletionLine(line)) return;
    const entry = read(line);
    if (isRecordFault(entry)) return fault(`${file}: ${entry.fault}`);
    // What somebody asked about was no traffic: nobody called, and nothing was let through.
    if (entry.type !== "decision" || entry.asked !== undefined) return;
    if (since !== undefined && entry.time < since) return;
    if (until !== undefined && entry.time > until) return;
    if (wanted.size === 0 || wanted.has(entry.route ?? "")) take(entry);
  };
  for (const file of files) {
    for await (const { lines, overlong } of readLines(file)) {
      for (const line of lines) one(line, file);
      if (overlong > 0) fault(`${file}: a line is longer than a record`);
    }
  }
  return { files: files.length, ...counts };
}

/** As records have it, so that texts compare as times do. */
function timeText(written: string | undefined, option: string): string | undefined {
  if (written === undefined) return undefined;
  const timeMs = writtenTime(written);
  if (timeMs !== undefined) return new Date(timeMs).toISOString();
  const message = `${option} ${written} is no time; write 2026-12-24 or 2026-12-24T18:00:00Z`;
  throw new SallyportError("config-invalid", message);
}
