/**
 * The segments of the log's folder as a sink reads them: files that grow, that are compressed when they
 * have ended, and that are removed when they are old.
 */
import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../files.ts";
import { FolderListing } from "../follow/folder-listing.ts";
import { createWriters, type Writers } from "../follow/writers.ts";
import type { SegmentFile } from "../segment-names.ts";
import type { Clock } from "../../model/ports.ts";
import { openSource, type SegmentSource } from "../segment-source.ts";
import type { RecordSource, SegmentFigures } from "./record-source.ts";

const LIMITS = {
  /** Bytes of one line, be it no record: after a loss of power a disk may hold zeros in their place. */
  line: 64 * 1024 * 1024,
  /** Bytes in which the beginning of a line is looked for; four times as many each time it is not there. */
  look: 65_536,
  /** Compressed bytes are about a tenth of what they stand for. */
  ratio: 10,
} as const;

const LINE_FEED = 0x0a;

export class FolderSource implements RecordSource {
  readonly #folder: string;
  readonly #listing: FolderListing;
  readonly #writers: Writers;
  #files = new Map<string, SegmentFile>();
  /** Reading goes on where it was, mostly; a compressed file would be unpacked from its beginning otherwise. */
  #open: { readonly file: string; readonly source: SegmentSource } | undefined;

  constructor(folder: string, { clock }: { readonly clock: Clock }) {
    this.#folder = folder;
    this.#listing = new FolderListing(folder);
    this.#writers = createWriters(folder, { now: () => clock.monotonic() });
  }

  async list(done: ReadonlySet<string>): ReturnType<RecordSource["list"]> {
    const found = await this.#listing.files();
    this.#files = new Map(found.map((file) => [file.segment, file]));
    const over = this.#writers.over(found);
    const segments: SegmentFigures[] = [];
    for (const file of found) {
      const { segment, compressed } = file;
      if (done.has(segment)) continue;
      const final = over.has(segment);
      // Asked after it was found that it grows no more: so it is all that there will be.
      const bytes = await this.#bytes(file);
      if (bytes === undefined) continue;
      segments.push({ segment, bytes, final, compressed });
    }
    return { names: new Set(this.#files.keys()), segments };
  }

  async read(segment: string, offset: number, maxBytes: number): Promise<Uint8Array> {
    const source = await this.#at(segment, offset);
    for (let size = maxBytes; ; size = Math.min(size * 4, LIMITS.line)) {
      const bytes = Buffer.allocUnsafe(size);
      const filled = await source.fill(bytes);
      const whole = bytes.subarray(0, filled).lastIndexOf(LINE_FEED) + 1;
      if (whole > 0) {
        source.skip(whole);
        return bytes.subarray(0, whole);
      }
      if (filled < size) return bytes.subarray(0, 0);
      if (size >= LIMITS.line) throw new Error(`${segment} has a line without an end`);
    }
  }

  async lineStart(segment: string, offset: number): Promise<number> {
    const file = this.#files.get(segment);
    if (file === undefined || file.compressed) return 0;
    const { O_RDONLY, O_NOFOLLOW } = constants;
    const handle = await open(join(this.#folder, file.file), O_RDONLY | O_NOFOLLOW);
    try {
      for (let size = LIMITS.look; ; size *= 4) {
        const from = Math.max(0, offset - size);
        const bytes = Buffer.alloc(offset - from);
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, from);
        const feed = bytes.subarray(0, bytesRead).lastIndexOf(LINE_FEED);
        if (feed !== -1) return from + feed + 1;
        if (from === 0) return 0;
      }
    } finally {
      await handle.close();
    }
  }

  async close(): Promise<void> {
    const source = this.#open?.source;
    this.#open = undefined;
    await source?.close();
  }

  async #at(segment: string, offset: number): Promise<SegmentSource> {
    const file = this.#files.get(segment);
    if (file === undefined) throw new Error(`${segment} is not there any more`);
    const held = this.#open;
    if (held?.file === file.file && held.source.position === offset) return held.source;
    await this.close();
    const path = join(this.#folder, file.file);
    const source = await openSource(path, { compressed: file.compressed, position: offset });
    this.#open = { file: file.file, source };
    return source;
  }

  async #bytes({ file, compressed }: SegmentFile): Promise<number | undefined> {
    try {
      const { size } = await stat(join(this.#folder, file));
      return compressed ? size * LIMITS.ratio : size;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }
}
