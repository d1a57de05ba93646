/**
 * The bytes of one segment from a position on, as they were written, whether its file is compressed by
 * now or still grows. It opens no link and nothing that is not a file.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { openPacked } from "./packed-segment.ts";

export interface SegmentSource {
  /** Bytes of the segment before what `fill` gives next. */
  readonly position: number;
  /** Fills `into` with what follows; how many bytes, 0 where there are none yet. Does not move the position. */
  fill(into: Uint8Array): Promise<number>;
  /** Moves the position on, at most by what `fill` gave. */
  skip(bytes: number): void;
  /** Bytes of the segment as far as that is known: of a compressed one, those read so far. */
  size(): Promise<number>;
  /** What was read is on disk when this settles. */
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** Rejects with what the file system says (ENOENT where there is no such file), or NotAFile. */
export async function openSource(
  path: string,
  { compressed, position }: { readonly compressed: boolean; readonly position: number },
): Promise<SegmentSource> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new NotAFile(path);
    if (!compressed) return new PlainSource(file, position);
    const packed = await openPacked(file.fd);
    const start = packed.startOf(position);
    const source = new CompressedSource(file, packed.read(start), start);
    await source.forward(position);
    return source;
  } catch (error) {
    await file.close();
    throw error;
  }
}

class PlainSource implements SegmentSource {
  readonly #file: FileHandle;
  position: number;

  constructor(file: FileHandle, position: number) {
    this.#file = file;
    this.position = position;
  }

  async fill(into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const { bytesRead } = await this.#file.read(
        into,
        filled,
        into.length - filled,
        this.position + filled,
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  skip(bytes: number): void {
    this.position += bytes;
  }

  async size(): Promise<number> {
    return (await this.#file.stat()).size;
  }

  datasync(): Promise<void> {
    return this.#file.datasync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

class CompressedSource implements SegmentSource {
  readonly #file: FileHandle;
  readonly #chunks: AsyncGenerator<Buffer>;
  /** Read and not yet skipped. */
  #held: Buffer[] = [];
  #heldSize = 0;
  #ended = false;
  position: number;

  constructor(file: FileHandle, chunks: AsyncGenerator<Buffer>, position: number) {
    this.#file = file;
    this.#chunks = chunks;
    this.position = position;
  }

  async forward(position: number): Promise<void> {
    while (this.position < position && (await this.#more())) {
      this.skip(Math.min(this.#heldSize, position - this.position));
    }
  }

  async fill(into: Uint8Array): Promise<number> {
    while (this.#heldSize < into.length && (await this.#more())) {
      // Until there is enough, or no more.
    }
    let filled = 0;
    for (const chunk of this.#held) {
      const part = chunk.subarray(0, into.length - filled);
      into.set(part, filled);
      filled += part.length;
      if (filled === into.length) break;
    }
    return filled;
  }

  skip(bytes: number): void {
    this.position += bytes;
    this.#heldSize -= bytes;
    let left = bytes;
    while (left > 0) {
      const [first] = this.#held;
      if (first === undefined) throw new RangeError("more is skipped than was read");
      if (first.length > left) this.#held[0] = first.subarray(left);
      else this.#held.shift();
      left -= Math.min(left, first.length);
    }
  }

  size(): Promise<number> {
    return Promise.resolve(this.position + this.#heldSize);
  }

  datasync(): Promise<void> {
    return this.#file.datasync();
  }

  async close(): Promise<void> {
    await this.#chunks.return(undefined);
    await this.#file.close();
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    const next = await this.#chunks.next();
    if (next.done === true) {
      this.#ended = true;
      return false;
    }
    this.#held.push(next.value);
    this.#heldSize += next.value.length;
    return true;
  }
}

/** What is no file is no segment: a device or a pipe may never end. */
export class NotAFile extends Error {
  override readonly name = "NotAFile";

  constructor(path: string) {
    super(`${path} is not a regular file`);
  }
}
