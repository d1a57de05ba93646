/** The segments of a folder, looked up again only when something in it was made, renamed or removed. */
import { readdir, stat } from "node:fs/promises";
import { segmentsAmong, type SegmentFile } from "../segment-names.ts";

const LIMITS = {
  /** Milliseconds by which a change must lie back to be told from a later one: the system's clock of files is coarse. */
  coarseMs: 2000,
} as const;

export class FolderListing {
  readonly #folder: string;
  #files: readonly SegmentFile[] = [];
  /** When the folder was last changed, as of a listing that no later change can hide from. */
  #changedMs: number | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** In the order of their names. Rejects with what the file system says. */
  async files(): Promise<readonly SegmentFile[]> {
    const { mtimeMs } = await stat(this.#folder);
    if (mtimeMs === this.#changedMs) return this.#files;
    const settled = Math.abs(Date.now() - mtimeMs) > LIMITS.coarseMs;
    this.#files = segmentsAmong(await readdir(this.#folder));
    this.#changedMs = settled ? mtimeMs : undefined;
    return this.#files;
  }
}
