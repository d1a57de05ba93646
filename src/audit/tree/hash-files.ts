/**
 * The hashes of the tree on disk: of every leaf, and of the complete subtrees of 2^8 and 2^16 leaves, so
 * that any node is read with at most a few hundred hashes. They are written at their places, so that what
 * a crash left behind is written over; what counts is only what a checkpoint says.
 *
 * They are a help: whoever verifies computes them anew from the records.
 */
import { closeSync, fdatasyncSync, ftruncateSync, fstatSync, readSync } from "node:fs";
import { join } from "node:path";
import { Frontier, peakLevels } from "./frontier.ts";
import { HASH_BYTES } from "./hashing.ts";
import { openFound, openGrowing, TREE_FILES, treeError, writeAll } from "./tree-files.ts";

/** Levels that are kept, largest first. */
const KEPT = [16, 8, 0] as const;
type Kept = (typeof KEPT)[number];

export const REMEDY =
  "end what runs on the folder, then `sallyport audit rehash` makes the hashes anew where the records are whole";

export class HashFiles {
  readonly #folder: string;
  readonly #files: Readonly<Record<Kept, number>>;

  /** `reading`: changes nothing, and refuses where a file is not there. */
  constructor(folder: string, mode: "reading" | "writing" = "writing") {
    this.#folder = folder;
    const open = (level: Kept): number =>
      mode === "reading" ? openThere(this.#path(level)) : openGrowing(this.#path(level));
    this.#files = { 0: open(0), 8: open(8), 16: open(16) };
  }

  /** The tree of `size` leaves as it is on disk. Throws SallyportError `audit-failed` where hashes are missing. */
  frontier(size: number): Frontier {
    for (const level of KEPT) {
      const wanted = Math.floor(size / 2 ** level) * HASH_BYTES;
      const { size: found } = fstatSync(this.#files[level]);
      if (found < wanted) {
        throw treeError(
          this.#path(level),
          `has ${found} bytes where its checkpoint asks for ${wanted}; ${REMEDY}`,
        );
      }
    }
    let start = 0;
    const peaks = peakLevels(size).map((level) => {
      const peak = this.node(level, start / 2 ** level);
      start += 2 ** level;
      return peak;
    });
    return new Frontier({ size, peaks });
  }

  /** Forgets what is behind the first `size` leaves. */
  cut(size: number): void {
    for (const level of KEPT) {
      const wanted = Math.floor(size / 2 ** level) * HASH_BYTES;
      const file = this.#files[level];
      if (fstatSync(file).size > wanted) ftruncateSync(file, wanted);
    }
  }

  /** Writes leaf hashes behind those of `frontier`, to the disk; the tree that they make. */
  append(frontier: Frontier, leaves: readonly Buffer[]): Frontier {
    const completed: Record<8 | 16, Buffer[]> = { 8: [], 16: [] };
    const grown = frontier.branch((level, hash) => {
      if (level === 8 || level === 16) completed[level].push(Buffer.from(hash));
    });
    let at = frontier.size * HASH_BYTES;
    for (const part of leaves) {
      grown.add(part, 0, part.length / HASH_BYTES);
      writeAll(this.#files[0], part, at);
      at += part.length;
    }
    for (const level of [8, 16] as const) {
      const position = Math.floor(frontier.size / 2 ** level) * HASH_BYTES;
      writeAll(this.#files[level], Buffer.concat(completed[level]), position);
    }
    for (const level of KEPT) fdatasyncSync(this.#files[level]);
    return grown;
  }

  /** Hash of the complete subtree of 2^level leaves that is the `index`th of its level. */
  node(level: number, index: number): Buffer {
    const kept = KEPT.find((one) => one <= level) ?? 0;
    return this.#made(kept, level, index);
  }

  /** Of so many leaves, one after the other. Throws SallyportError `audit-failed` where there are fewer. */
  leaves(first: number, count: number): Buffer {
    const hashes = Buffer.allocUnsafe(count * HASH_BYTES);
    this.#read(0, hashes, first);
    return hashes;
  }

  /**
   * That the hashes of the leaves from this one to the last make those of the subtrees that are kept above them.
   * Throws SallyportError `audit-failed` where they do not.
   */
  checkFrom(leaf: number, size: number): void {
    for (const [below, level] of [
      [0, 8],
      [8, 16],
    ] as const) {
      const last = Math.floor(size / 2 ** level);
      for (let index = Math.floor(leaf / 2 ** level); index < last; index++) {
        if (this.#made(below, level, index).equals(this.node(level, index))) continue;
        throw treeError(
          this.#path(below),
          `does not make what ${TREE_FILES.hashes[level]} has of leaf ${index * 2 ** level} on; ${REMEDY}`,
        );
      }
    }
  }

  close(): void {
    for (const level of KEPT) closeSync(this.#files[level]);
  }

  #made(kept: Kept, level: number, index: number): Buffer {
    const count = 2 ** (level - kept);
    const hashes = Buffer.alloc(count * HASH_BYTES);
    this.#read(kept, hashes, index * count);
    if (count === 1) return hashes;
    const subtree = new Frontier();
    subtree.add(hashes, 0, count);
    return subtree.root();
  }

  #read(level: Kept, into: Buffer, index: number): void {
    for (let at = 0; at < into.length;) {
      const read = readSync(this.#files[level], into, {
        offset: at,
        length: into.length - at,
        position: index * HASH_BYTES + at,
      });
      if (read === 0) throw treeError(this.#path(level), `has no hash ${index}`);
      at += read;
    }
  }

  #path(level: Kept): string {
    return join(this.#folder, TREE_FILES.hashes[level]);
  }
}

function openThere(path: string): number {
  const file = openFound(path);
  if (file === undefined) throw treeError(path, `is not there; ${REMEDY}`);
  return file;
}
