/** The segments of a folder while their log is verified: each read once, in step with the checkpoints. */
import { readdirSync } from "node:fs";
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
  /** Its first leaf that differs; from there on only what is stored is taken. */
  differsAt: number | undefined;
}

const REMOVED = Buffer.from('"event":"file-removed"');

export class LogSegments {
  readonly #folder: string;
  readonly #open = new Map<string, OpenSegment>();
  /** Files that records say were removed, and where each of those records is. */
  readonly #removed: { readonly name: string; readonly by: string; readonly byte: number }[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  get(name: string): OpenSegment {
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    // A name from a checkpoint may be anything: only those of segments are opened.
    const lines = SEGMENT.test(name) ? this.read(name) : undefined;
    const none = { records: 0, bytes: 0, lastLeaf: -1, ended: undefined, differsAt: undefined };
    const segment: OpenSegment = { name, lines, ...none };
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

  /**
   * Missing segments that retention removed: a sealed record says so. Of those that were sealed before one of
   * them, the record may be in a file that was removed in its turn.
   */
  removed(): Set<string> {
    const missing = this.all().filter(({ lines, records }) => lines === undefined && records > 0);
    const vouched = missing.filter(({ name }) =>
      this.#removed.some(
        (one) => one.name === name && one.byte < (this.#open.get(one.by)?.bytes ?? 0),
      ),
    );
    const last = Math.max(-1, ...vouched.map(({ lastLeaf }) => lastLeaf));
    return new Set(missing.flatMap(({ name, lastLeaf }) => (lastLeaf <= last ? [name] : [])));
  }

  names(): string[] {
    return segmentNames(this.#folder);
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
        this.#removed.push({ name, by, byte: offset + start });
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
