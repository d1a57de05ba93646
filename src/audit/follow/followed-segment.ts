/** One segment that is being read: its file while it is open, and what is known of its end. */
import { join } from "node:path";
import type { SegmentEnd } from "../../model/record-feed.ts";
import type { SegmentFile } from "../segment-names.ts";
import { openSource, type SegmentSource } from "../segment-source.ts";
import { type Read, readBatch, type Room } from "./line-batch.ts";

const LIMITS = {
  /**
   * Bytes of one piece, whose records all readers go over one after the other: with those of 1 MiB parsed at
   * once, parsing took half as long again (Node), since they outlived their time as young objects.
   */
  piece: 1 << 17,
} as const;

/** The file holds less than somebody has already read of it. */
export class ShortenedSegment extends Error {
  override readonly name = "ShortenedSegment";

  constructor(segment: string, known: number, found: number) {
    super(`${segment} has ${found} bytes, and ${known} of it are known: it was cut`);
  }
}

export class FollowedSegment {
  readonly name: string;
  readonly #folder: string;
  file: SegmentFile;
  /** Nobody writes it any more. */
  over = false;
  /** Read to its end by all. */
  done = false;
  /** Known once it is over and was read to there. */
  end: SegmentEnd | undefined;
  /** Bytes that were given out since the start. */
  given = 0;
  /** Not before then, on the clock that never goes back. */
  retryAtMs = 0;
  #source: SegmentSource | undefined;
  #touched = false;

  constructor(file: SegmentFile, folder: string) {
    this.name = file.segment;
    this.file = file;
    this.#folder = folder;
  }

  /** The whole lines behind `from`, as many as fit. Throws what the file system says, ShortenedSegment, EndlessLine. */
  async read(
    from: number,
    options: { readonly room: Room; readonly bad: (lines: number) => void },
  ): Promise<Read> {
    const source = await this.#at(from);
    const read = await readBatch(source, this.name, { ...options, maxBytes: LIMITS.piece });
    if (read.batch !== undefined) this.#touched = true;
    else if (read.rest === 0) await this.#checkSize(source, from);
    return read;
  }

  /** What was read is on disk when this settles. */
  async sync(): Promise<void> {
    if (!this.#touched) return;
    await (this.#source ?? (await this.#at(0))).datasync();
    this.#touched = false;
  }

  /** It is read no more. */
  async finish(): Promise<void> {
    await this.sync();
    await this.close();
    this.done = true;
  }

  async close(): Promise<void> {
    const source = this.#source;
    this.#source = undefined;
    await source?.close();
  }

  async #at(from: number): Promise<SegmentSource> {
    if (this.#source !== undefined && this.#source.position !== from) await this.close();
    const { file, compressed } = this.file;
    this.#source ??= await openSource(join(this.#folder, file), { compressed, position: from });
    return this.#source;
  }

  async #checkSize(source: SegmentSource, from: number): Promise<void> {
    const size = await source.size();
    if (size < from) throw new ShortenedSegment(this.name, from, size);
  }
}
