/**
 * `sealed.json`: what the checkpoints up to one line say of every segment, so that a start need not read a
 * year of them. Written whole, and only once that line is on disk.
 *
 * A help, believed where it fits: its own hash, and the line, which still has to stand where it stood.
 * Otherwise all checkpoints are read, as they are where there is no such file.
 */
import { closeSync, readSync } from "node:fs";
import { hash } from "node:crypto";
import { join } from "node:path";
import type { Log } from "../../model/ports.ts";
import { openFound, readTreeFile, replaceWhole, TREE_FILES } from "./tree-files.ts";

const LIMITS = {
  /** Bytes of a line of `checkpoints.jsonl`, as who reads them has it. */
  line: 4 << 20,
  /** Checkpoints between two of them: half a day of one in 10 s, read again in some 30 ms. */
  every: 4096,
} as const;

export interface SealedSnapshot {
  /** Bytes of `checkpoints.jsonl` up to the line's end, and how many lines these are. */
  readonly end: number;
  readonly lines: number;
  /** That line, without its line feed. */
  readonly line: string;
  /** Leaves up to it. */
  readonly size: number;
  /** Bytes of each segment that are sealed, and of the torn last line of each that ended. */
  readonly sealed: ReadonlyMap<string, number>;
  readonly ended: ReadonlyMap<string, number>;
}

/** Throws SallyportError `audit-failed`. */
export function writeSnapshot(folder: string, snapshot: SealedSnapshot): void {
  const { end, ended, line, lines, sealed, size } = snapshot;
  const length = Buffer.byteLength(line);
  const text = JSON.stringify({
    end,
    ended: [...ended],
    last: { hash: digest(line), length },
    lines,
    sealed: [...sealed],
    size,
  });
  replaceWhole(join(folder, TREE_FILES.sealed), `${digest(text)}\n${text}\n`);
}

/** Undefined where there is none that fits. Throws SallyportError `audit-failed` where it cannot be read. */
export function readSnapshot(folder: string): SealedSnapshot | undefined {
  const [sum, text = ""] = readTreeFile(join(folder, TREE_FILES.sealed))?.split("\n") ?? [];
  // What hashes to what stands before it was written by us, or by whoever can write the checkpoints as well.
  if (sum === undefined || digest(text) !== sum) return undefined;
  const written = parsed(text);
  if (written === undefined) return undefined;
  const { end, ended, last, lines, sealed, size } = written;
  const line = lineBefore(join(folder, TREE_FILES.checkpoints), end, last.length);
  if (line === undefined || digest(line) !== last.hash) return undefined;
  return { end, ended: new Map(ended), line, lines, sealed: new Map(sealed), size };
}

/** Undefined for what is none of ours, and could only make a start fail without a word of why. */
function parsed(text: string): Written | undefined {
  try {
    const { end, ended, last, lines, sealed, size } = JSON.parse(text) as Written;
    const figures = [end, lines, size, last.length, ...[...ended, ...sealed].map(([, one]) => one)];
    const names = [...ended, ...sealed].map(([name]) => name);
    const isOurs =
      figures.every((one) => Number.isSafeInteger(one) && one >= 0) &&
      [last.hash, ...names].every((one) => typeof one === "string");
    return isOurs ? { end, ended, last, lines, sealed, size } : undefined;
  } catch {
    return undefined;
  }
}

interface Written extends Omit<SealedSnapshot, "ended" | "line" | "sealed"> {
  readonly ended: readonly (readonly [string, number])[];
  readonly last: { readonly hash: string; readonly length: number };
  readonly sealed: readonly (readonly [string, number])[];
}

/** The line of so many bytes whose line feed is the last byte before `end`. */
function lineBefore(path: string, end: number, length: number): string | undefined {
  const start = end - length - 1;
  if (length > LIMITS.line || start < 0) return undefined;
  const file = openFound(path);
  if (file === undefined) return undefined;
  try {
    // With the end of the line before it, where there is one.
    const bytes = Buffer.alloc(end - Math.max(0, start - 1));
    const read = readSync(file, bytes, 0, bytes.length, Math.max(0, start - 1));
    const text = bytes.toString("utf8", 0, read);
    const whole = start === 0 ? `\n${text}` : text;
    return read === bytes.length && whole.startsWith("\n") && whole.endsWith("\n")
      ? whole.slice(1, -1)
      : undefined;
  } finally {
    closeSync(file);
  }
}

function digest(text: string): string {
  return hash("sha256", text, "hex");
}

/** `snapshotLines`: those that the snapshot stood for. */
type AtStart = SealedSnapshot & { readonly snapshotLines: number };

/** Writes a snapshot after every so many checkpoints: those behind it are what a start reads after a crash. */
export class Snapshots {
  readonly #folder: string;
  readonly #log: Log;
  #now: SealedSnapshot;
  #writtenLines: number;
  #dueLines: number;

  private constructor(folder: string, now: AtStart, log: Log) {
    this.#folder = folder;
    this.#log = log;
    this.#now = now;
    this.#writtenLines = now.snapshotLines;
    this.#dueLines = now.snapshotLines + LIMITS.every;
  }

  /** `now`: its maps are kept up to date by whoever owns them. A start that had to read much writes one. */
  static begin(folder: string, now: AtStart, log: Log): Snapshots {
    const snapshots = new Snapshots(folder, now, log);
    if (now.lines >= snapshots.#dueLines) snapshots.write();
    return snapshots;
  }

  /** A line is on disk, and the maps hold what it says. */
  sealed(added: { readonly end: number; readonly line: string; readonly size: number }): void {
    this.#now = { ...this.#now, ...added, lines: this.#now.lines + 1 };
    if (this.#now.lines >= this.#dueLines) this.write();
  }

  /** What is not written yet. Never throws. */
  write(): void {
    const { lines } = this.#now;
    if (lines === this.#writtenLines) return;
    this.#dueLines = lines + LIMITS.every;
    try {
      writeSnapshot(this.#folder, this.#now);
      this.#writtenLines = lines;
    } catch (error) {
      // Nothing is lost: what it stands for is in the checkpoints.
      const fields = { error: error instanceof Error ? error : new Error(String(error)) };
      this.#log.warn("audit: the next start has to read more checkpoints", fields);
    }
  }
}
