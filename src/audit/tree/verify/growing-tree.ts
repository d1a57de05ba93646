/** The tree of the records that were read, and its root at the sizes that somebody asks about. */
import { Frontier } from "../frontier.ts";
import { HASH_BYTES } from "../hashing.ts";

export class GrowingTree {
  /** Sizes that are asked about and not reached, smallest last. */
  readonly #wanted: number[];
  readonly roots: Map<number, Buffer>;
  #frontier: Frontier;

  constructor(wanted: readonly number[], from?: GrowingTree) {
    this.#wanted = [...wanted];
    this.roots = new Map(from?.roots);
    this.#frontier = from === undefined ? new Frontier() : from.#frontier.branch();
  }

  static at(sizes: readonly number[]): GrowingTree {
    const tree = new GrowingTree([...new Set(sizes)].toSorted((left, right) => right - left));
    tree.#note();
    return tree;
  }

  branch(): GrowingTree {
    return new GrowingTree(this.#wanted, this);
  }

  get size(): number {
    return this.#frontier.size;
  }

  root(): Buffer {
    return this.#frontier.root();
  }

  add(hashes: Buffer, from = 0, count = hashes.length / HASH_BYTES): void {
    for (let done = 0; done < count;) {
      const stop = (this.#wanted.at(-1) ?? Infinity) - this.#frontier.size;
      const some = Math.min(count - done, stop);
      this.#frontier.add(hashes, (from + done) * HASH_BYTES, some);
      done += some;
      this.#note();
    }
  }

  #note(): void {
    if (this.#wanted.at(-1) !== this.#frontier.size) return;
    this.#wanted.pop();
    this.roots.set(this.#frontier.size, this.#frontier.root());
  }
}
