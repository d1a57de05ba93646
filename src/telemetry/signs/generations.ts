/**
 * A map that forgets what was not used for longest, in two generations: what is asked for moves into the
 * young one, and when that is full the old one goes. It holds at most twice its limit, whatever callers send.
 */
export class Generations<K, V> {
  readonly #limit: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: K): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined || this.#old.size === 0) return value;
    const earlier = this.#old.get(key);
    if (earlier !== undefined) this.set(key, earlier);
    return earlier;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#limit && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  /** All of them, each once. */
  *entries(): IterableIterator<[K, V]> {
    yield* this.#young;
    for (const entry of this.#old) {
      if (!this.#young.has(entry[0])) yield entry;
    }
  }
}
