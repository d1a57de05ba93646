/**
 * A map of texts in many small ones. One that grows to 100 000 entries is hashed anew at each doubling,
 * at once: 7 to 20 ms on the thread that serves. Here each of the maps does so by itself.
 */

const LIMITS = {
  /** Of a million entries each then has 4 000, which takes 0.2 ms. A power of two. */
  shards: 256,
} as const;

export class ShardedMap<T> {
  readonly #shards: readonly Map<string, T>[];

  constructor() {
    this.#shards = Array.from({ length: LIMITS.shards }, () => new Map<string, T>());
  }

  get size(): number {
    return this.#shards.reduce((sum, { size }) => sum + size, 0);
  }

  /** Entries of the fullest one. */
  get fullest(): number {
    return this.#shards.reduce((most, { size }) => Math.max(most, size), 0);
  }

  get(key: string): T | undefined {
    return this.#shards[shardOf(key)]?.get(key);
  }

  set(key: string, value: T): void {
    this.#shards[shardOf(key)]?.set(key, value);
  }
}

/** By every second character of all of it: of names, some begin alike and some end alike. */
function shardOf(key: string): number {
  let hash = key.length;
  for (let at = key.length - 1; at >= 0; at -= 2) {
    hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0;
  }
  return (hash ^ (hash >>> 8) ^ (hash >>> 16)) & (LIMITS.shards - 1);
}
