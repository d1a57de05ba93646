/**
 * The names of the files of a log: `audit-<start>-<instance>.jsonl`, one after the other for each
 * writer, and `.jsonl.gz` once compressed. Whatever is named otherwise is none of them.
 */
import { codeOf } from "./files.ts";

/** The instance begins with the process id. */
const SEGMENT = /^audit-(\d{8}T\d{6}\.\d{3}Z)-((\d+)[A-Za-z0-9-]*)\.jsonl(\.gz)?$/;

const COMPRESSED = ".gz";

/** One segment, as it lies in the folder. */
export interface SegmentFile {
  /** Its name without the ending of compression: what it is known by, whatever becomes of the file. */
  readonly segment: string;
  /** Name of the file that holds it now. */
  readonly file: string;
  readonly compressed: boolean;
  readonly startMs: number;
  /** Who writes it: the process id and what follows it. */
  readonly instance: string;
  readonly pid: number;
}

/** The name of a segment that begins at `timeMs`. */
export function segmentName(timeMs: number, instance: string): string {
  const start = new Date(timeMs).toISOString().replaceAll(/[-:]/g, "");
  return `audit-${start}-${instance}.jsonl`;
}

/** The name of the file that holds a segment once it is compressed. */
export function compressedName(segment: string): string {
  return `${segment}${COMPRESSED}`;
}

/** Undefined for other files. */
export function segmentFile(name: string): SegmentFile | undefined {
  const [, start = "", instance = "", pid, ending] = SEGMENT.exec(name) ?? [];
  if (pid === undefined) return undefined;
  const text = start.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)/, "$1-$2-$3T$4:$5:");
  const compressed = ending !== undefined;
  return {
    segment: compressed ? name.slice(0, -COMPRESSED.length) : name,
    file: name,
    compressed,
    startMs: Date.parse(text),
    instance,
    pid: Number(pid),
  };
}

/**
 * The segments among the names of a folder, in the order of their names, each once: where a crash left
 * a compressed one beside what it was made from, the latter counts.
 */
export function segmentsAmong(names: readonly string[]): readonly SegmentFile[] {
  const found = new Map<string, SegmentFile>();
  for (const name of names) {
    const file = segmentFile(name);
    if (file === undefined) continue;
    if (!file.compressed || !found.has(file.segment)) found.set(file.segment, file);
  }
  return [...found.values()].toSorted((one, other) => (one.segment < other.segment ? -1 : 1));
}

/** Whether there is a process with that id. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}
