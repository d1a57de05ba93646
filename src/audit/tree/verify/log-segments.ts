/** The segments of a folder while their log is verified: each read once, in step with the checkpoints. */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { HashedLines } from "./hashed-lines.ts";
import { treeError } from "../tree-files.ts";
import type { EndedSegment } from "../checkpoint-lines.ts";

/** `audit-….jsonl`, compressed or not. */
const SEGMENT = /^(audit-[0-9TZ.]+-\d+[A-Za-z0-9-]*\.jsonl)(\.gz)?$/;

/** Names as they are in checkpoints. */
export function segmentNames(folder: string): string[] {
  try {
    const names = readdirSync(folder).flatMap((name) => SEGMENT.exec(name)?.[1] ?? []);
    return [...new Set(names)].toSorted();
  } catch (error) {
    throw treeError(folder, "cannot be read", error);
  }
}

export interface OpenSegment {
  readonly name: string;
  /** Undefined: there is no file. */
  readonly lines: HashedLines | undefined;
  /** Records that checkpoints have of it. */
  records: number;
  /** Bytes that they have of it. */
  bytes: number;
  ended: EndedSegment | undefined;
  /** The last of its records in the tree; -1 where there is none. */
  lastLeaf: number;
  /** When the last checkpoint was made that has records of it, as is said. */
  sealedMs: number | undefined;
  /** Its first leaf that differs; from there on only what is stored is taken. */
  differsAt: number | undefined;
}

/** Where it is said that a file was removed. */
interface RemovedBy {
  readonly name: string;
  readonly byte: number;
  /** By which checkpoint that was sealed; undefined: none has it, as far as it was read in step. */
  sealed: Sealed | undefined;
}

interface Sealed {
  /** Of the checkpoint: milliseconds since the epoch, as is said, and leaves. */
  readonly ms: number | undefined;
  readonly size: number;
}

/** In a file that differs from what was sealed, which is told of it. */
const UNKNOWN: Sealed = { ms: undefined, size: Infinity };

const REMOVED = Buffer.from('"event":"file-removed"');

export class LogSegments {
  readonly #folder: string;
  readonly #open = new Map<string, OpenSegment>();
  /** Files that records say were removed, by the files that have those records. */
  readonly #removed = new Map<string, RemovedBy[]>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  get(name: string): OpenSegment {
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    // A name from a checkpoint may be anything: only those of segments are opened.
    const lines = SEGMENT.test(name) ? this.read(name) : undefined;
    const none = { ended: undefined, differsAt: undefined, sealedMs: undefined };
    const segment: OpenSegment = { name, lines, records: 0, bytes: 0, lastLeaf: -1, ...none };
    this.#open.set(name, segment);
    return segment;
  }

  all(): OpenSegment[] {
    return [...this.#open.values()];
  }

  has(name: string): boolean {
    return this.#open.has(name);
  }

  /** From its beginning, once more. */
  read(name: string): HashedLines | undefined {
    return HashedLines.open(this.#folder, name, (bytes, offset) => this.#look(name, bytes, offset));
  }

  /** A checkpoint was taken that has records of these. */
  sealed(names: readonly string[], sealed: Sealed): void {
    for (const name of names) {
      const segment = this.get(name);
      segment.sealedMs = sealed.ms;
      for (const one of this.#removed.get(name) ?? []) {
        if (one.byte < segment.bytes) one.sealed ??= sealed;
      }
    }
  }

  /**
   * Missing segments that retention removed, and when that was sealed, at the latest: a sealed record says so.
   * Of those that were sealed before one of them, the record may be in a file that was removed in its turn, before
   * that one was. No file was removed before its last record was sealed: `parts`, which no key signs, may say that
   * other records were of one that was.
   */
  removed(): ReadonlyMap<string, number | undefined> {
    const missing = this.all().filter(({ lines, records }) => lines === undefined && records > 0);
    const vouched = this.#vouched();
    const own = missing.filter(
      ({ name, lastLeaf }) => lastLeaf < (vouched.get(name)?.size ?? Number.NEGATIVE_INFINITY),
    );
    const last = Math.max(-1, ...own.map(({ lastLeaf }) => lastLeaf));
    const times = own.map(({ name }) => vouched.get(name)?.ms ?? Number.NaN);
    const latest = times.length === 0 ? undefined : Math.max(...times);
    return new Map(
      missing.flatMap(({ name, lastLeaf }) => {
        if (lastLeaf > last) return [];
        const one = vouched.get(name);
        return [[name, one === undefined ? latest : one.ms]];
      }),
    );
  }

  /** By sealed records; of several about one file, the time of the first and the size of the last. */
  #vouched(): ReadonlyMap<string, Sealed> {
    const vouched = new Map<string, Sealed>();
    for (const [by, all] of this.#removed) {
      const bytes = this.#open.get(by)?.bytes ?? 0;
      for (const { name, byte, sealed = UNKNOWN } of all) {
        if (byte >= bytes) continue;
        const { ms, size } = vouched.get(name) ?? { ms: undefined, size: 0 };
        const first = Math.min(ms ?? Infinity, sealed.ms ?? Infinity);
        vouched.set(name, {
          ms: first === Infinity ? undefined : first,
          size: Math.max(size, sealed.size),
        });
      }
    }
    return vouched;
  }

  names(): string[] {
    return segmentNames(this.#folder);
  }

  /** Whether what is no file stands before the compressed file that was read: other programs would follow a link. */
  isShadowed(name: string): boolean {
    const figures = lstatSync(join(this.#folder, name), { throwIfNoEntry: false });
    return figures !== undefined && !figures.isFile() && this.#open.get(name)?.lines !== undefined;
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  close(): void {
    for (const { lines } of this.#open.values()) lines?.close();
  }

  /** In whole blocks: there are few such records, and each line by itself would cost more than its hash. */
  #look(by: string, bytes: Buffer, offset: number): void {
    for (let at = bytes.indexOf(REMOVED); at >= 0; at = bytes.indexOf(REMOVED, at + 1)) {
      const start = bytes.lastIndexOf(0x0a, at) + 1;
      const end = bytes.indexOf(0x0a, at);
      for (const name of removedIn(bytes.toString("utf8", start, end))) {
        let all = this.#removed.get(by);
        if (all === undefined) this.#removed.set(by, (all = []));
        all.push({ name, byte: offset + start, sealed: undefined });
      }
    }
  }
}

function removedIn(line: string): string[] {
  try {
    const {
      type,
      event,
      figures = {},
    } = JSON.parse(line) as {
      readonly type?: unknown;
      readonly event?: unknown;
      readonly figures?: Readonly<Record<string, unknown>>;
    };
    if (type !== "event" || event !== "file-removed") return [];
    return Object.values(figures).flatMap((value) =>
      typeof value === "string" ? (SEGMENT.exec(value)?.[1] ?? []) : [],
    );
  } catch {
    return [];
  }
}
