/** Leaf hashes as `hashes-0` has them: believed in nothing but to say where something is wrong. */
import { closeSync, readSync } from "node:fs";
import { join } from "node:path";
import { HASH_BYTES } from "../hashing.ts";
import { openFound, TREE_FILES } from "../tree-files.ts";

export class StoredHashes {
  readonly #file: number | undefined;

  constructor(folder: string) {
    this.#file = openHashes(join(folder, TREE_FILES.hashes[0]));
  }

  /** Undefined where there are not so many. */
  read(leaf: number, count: number): Buffer | undefined {
    if (this.#file === undefined) return undefined;
    const hashes = Buffer.allocUnsafe(count * HASH_BYTES);
    for (let at = 0; at < hashes.length;) {
      const position = leaf * HASH_BYTES + at;
      const read = readSync(this.#file, hashes, at, hashes.length - at, position);
      if (read === 0) return undefined;
      at += read;
    }
    return hashes;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}

function openHashes(path: string): number | undefined {
  try {
    return openFound(path);
  } catch {
    // As good as empty: the records are hashed anyway.
    return undefined;
  }
}
