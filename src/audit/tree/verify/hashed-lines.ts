/**
 * The whole lines of one segment as leaf hashes, block by block, compressed or not. The memory of a block
 * serves again for the next one.
 */
import { closeSync, readSync } from "node:fs";
import { join } from "node:path";
import { SallyportError } from "../../../model/errors.ts";
import { codeOf } from "../../files.ts";
import { openPacked } from "../../packed-segment.ts";
import { HASH_BYTES, leafHashInPlace } from "../hashing.ts";
import { openFound, treeError } from "../tree-files.ts";

const LIMITS = {
  /** Bytes that are read at once. */
  chunk: 1 << 20,
  /** Bytes of one line: far beyond any record. */
  line: 16 << 20,
  /**
   * What a compressed file may hold behind what is sealed of it: it is compressed once all of it is sealed,
   * and a copy of the folder may have been made in between.
   */
  behind: { lines: 65_536, bytes: 8 << 20 },
} as const;

const LINE_FEED = 0x0a;

/** Lines that follow one another. Good until the next one is read. */
export interface LineBlock {
  readonly count: number;
  readonly bytes: number;
  /** HASH_BYTES for each line. */
  readonly hashes: Buffer;
  /** Text of one of them, without its line feed. */
  text(index: number): string;
  /** Bytes of one of them, with its line feed. */
  length(index: number): number;
}

/** Fills what it is given; how many bytes: 0 at the end. */
interface Source {
  read(target: Buffer, at: number): Promise<number>;
  close(): void;
  /** Compressed: it may hold far more than its size says. */
  readonly packed: boolean;
}

/** Whole lines, and how many bytes of the file are before them. */
type OnBytes = (bytes: Buffer, offset: number) => void;

export class HashedLines {
  readonly segment: string;
  readonly #onBytes: OnBytes | undefined;
  /** Bytes of the file before the whole lines that are held. */
  #offset = 0;
  #source: Source | undefined;
  /** One byte, then what was read and is not handed out: whole lines, then a piece of one. */
  #buffer = Buffer.alloc(0);
  #held = 1;
  /** Of whole lines in the buffer: where each ends (its line feed), and its hash. */
  #ends: number[] = [];
  #hashes = Buffer.alloc(0);
  #next = 0;
  /** What may still come of a compressed file. */
  #left: { lines: number; bytes: number } = { ...LIMITS.behind };
  #failed: unknown;

  private constructor(segment: string, source: Source, onBytes?: OnBytes) {
    this.segment = segment;
    this.#source = source;
    this.#onBytes = onBytes;
  }

  /** Undefined where there is no such file. `onBytes` is shown whole lines before they are hashed. */
  static open(folder: string, segment: string, onBytes?: OnBytes): HashedLines | undefined {
    const source = openSource(join(folder, segment));
    return source && new HashedLines(segment, source, onBytes);
  }

  /** So much is sealed of it: of a compressed file not much more than that is read. */
  allow(lines: number, bytes: number): void {
    this.#left.lines += lines;
    this.#left.bytes += bytes;
  }

  /** At most `most` lines; undefined when there is no whole line any more. Throws what the file system or zlib says. */
  async read(most: number): Promise<LineBlock | undefined> {
    while (this.#next === this.#ends.length) if (!(await this.#fill())) return undefined;
    const first = this.#next;
    const count = Math.min(most, this.#ends.length - first);
    this.#next += count;
    const [ends, buffer] = [this.#ends, this.#buffer];
    const startOf = (index: number): number => (index === 0 ? 1 : (ends[index - 1] as number) + 1);
    return {
      count,
      bytes: (ends[first + count - 1] as number) + 1 - startOf(first),
      hashes: this.#hashes.subarray(first * HASH_BYTES, (first + count) * HASH_BYTES),
      text: (index) => buffer.toString("utf8", startOf(first + index), ends[first + index]),
      length: (index) => (ends[first + index] as number) + 1 - startOf(first + index),
    };
  }

  /** Looks ahead once all is handed out, so that a file that has ended holds nothing any more. */
  async settle(): Promise<void> {
    while (this.#next === this.#ends.length) if (!(await this.#fill())) return;
  }

  /** Bytes behind the last line feed, once `read` has come to the end. */
  get tail(): number {
    return this.#held - 1;
  }

  close(): void {
    this.#source?.close();
    this.#source = undefined;
    this.#buffer = Buffer.alloc(0);
    this.#hashes = Buffer.alloc(0);
  }

  /** What failed once fails again: it is told by who reads on. */
  async #fill(): Promise<boolean> {
    if (this.#failed !== undefined) throw this.#failed;
    try {
      return await this.#more();
    } catch (error) {
      this.#failed = error;
      throw error;
    }
  }

  async #more(): Promise<boolean> {
    if (this.#source === undefined) return false;
    this.#dropLines();
    if (this.#buffer.length - this.#held < LIMITS.chunk) {
      if (this.#held > LIMITS.line) throw treeError(this.segment, "has a line that is too long");
      const grown = Buffer.allocUnsafe(this.#held + LIMITS.chunk);
      this.#buffer.copy(grown, 0, 0, this.#held);
      this.#buffer = grown;
    }
    const read = await this.#source.read(this.#buffer, this.#held);
    if (read === 0) {
      this.close();
      return false;
    }
    const end = this.#held + read;
    this.#left.bytes -= read;
    this.#hash(end, this.#held);
    this.#held = end;
    return true;
  }

  /** What was handed out goes; the piece of a line behind it comes to the front. */
  #dropLines(): void {
    const last = this.#ends.at(-1);
    if (last !== undefined) {
      this.#buffer.copyWithin(1, last + 1, this.#held);
      this.#held -= last;
    }
    this.#ends = [];
    this.#next = 0;
  }

  /** Line feeds are looked for from `from` on: before it there is none. */
  #hash(end: number, from: number): void {
    const bytes = this.#buffer.subarray(0, end);
    const ends: number[] = [];
    for (let to = bytes.indexOf(LINE_FEED, from); to >= 0; to = bytes.indexOf(LINE_FEED, to + 1)) {
      ends.push(to);
    }
    this.#left.lines -= ends.length;
    if (this.#source?.packed === true && (this.#left.lines < 0 || this.#left.bytes < 0)) {
      const what = "goes on far behind what is sealed of it, which no compressed file of ours does";
      throw treeError(this.segment, `${what}; not read any further`);
    }
    this.#ends = ends;
    const wanted = ends.length * HASH_BYTES;
    if (this.#hashes.length < wanted) this.#hashes = Buffer.allocUnsafe(wanted * 2);
    const last = ends.at(-1) ?? 0;
    if (last > 0) this.#onBytes?.(bytes.subarray(1, last + 1), this.#offset);
    this.#offset += last;
    let before = 0;
    for (let index = 0; index < ends.length; index++) {
      const to = ends[index] as number;
      leafHashInPlace(this.#hashes, index * HASH_BYTES, { bytes, from: before, to });
      before = to;
    }
  }
}

/** Nobody may say of a file that could not be opened that its records are missing: reading it fails. */
function openSource(path: string): Source | undefined {
  try {
    return openPlain(path) ?? openCompressed(`${path}.gz`);
  } catch (error) {
    const failed = error instanceof Error ? error : new Error(String(error));
    return { packed: false, read: () => Promise.reject(failed), close: () => undefined };
  }
}

/** What is no file of ours is none: its records are missing, and that is what is told. */
function openSegment(path: string): number | undefined {
  try {
    return openFound(path);
  } catch (error) {
    if (error instanceof SallyportError && isNoFile(error.cause)) return undefined;
    throw error;
  }
}

/** A folder or a pipe (nothing failed), a link (`ELOOP`), a socket (`ENXIO`). */
function isNoFile(cause: unknown): boolean {
  const code = codeOf(cause);
  return cause === undefined || code === "ELOOP" || code === "ENXIO";
}

function openPlain(path: string): Source | undefined {
  const file = openSegment(path);
  if (file === undefined) return undefined;
  return {
    packed: false,
    read: (target, at) => Promise.resolve(readSync(file, target, at, target.length - at, null)),
    close: () => closeSync(file),
  };
}

function openCompressed(path: string): Source | undefined {
  const file = openSegment(path);
  if (file === undefined) return undefined;
  let chunks: AsyncGenerator<Buffer> | undefined;
  let rest: Buffer = Buffer.alloc(0);
  return {
    packed: true,
    async read(target, at) {
      chunks ??= (await openPacked(file)).read(0);
      if (rest.length === 0) {
        const next = await chunks.next();
        if (next.done === true) return 0;
        rest = next.value;
      }
      const taken = rest.copy(target, at);
      rest = rest.subarray(taken);
      return taken;
    },
    close: () => {
      // Not under a read of it: the descriptor could be another file's by then.
      void (async () => {
        await chunks?.return(undefined).catch(() => undefined);
        closeSync(file);
      })();
    },
  };
}
