/**
 * What is made of an object that comes again and again, such as a principal or its scopes, so that it
 * is not made anew with each request: kept from the object's second use on.
 *
 * A credential that is used once must leave nothing behind. In weak maps, filled at the first use, the
 * collectors found what a million such credentials had left too late: Node grew to 990 MB.
 */
const LIMITS = {
  /** Objects of a generation: with two of them nearly as many as there are credentials in the cache of facts. */
  entries: 4096,
} as const;

/**
 * Two generations, as the cache of facts has them: the young one becomes the old one when it is full,
 * and what is used moves back. All that is in use stays, and callers' own objects push out only others.
 */
export class Recurring<K extends object, V> {
  /** Undefined: has come once. */
  #young = new Map<K, V | undefined>();
  #old = new Map<K, V | undefined>();

  /** What was kept for the object. */
  get(key: K): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined || this.#old.size === 0) return value;
    const earlier = this.#old.get(key);
    if (earlier !== undefined) this.#put(key, earlier);
    return earlier;
  }

  /** Notes that the object has come. True if it had before: then what is made of it is worth keeping. */
  again(key: K): boolean {
    if (this.#young.has(key)) return true;
    const before = this.#old.has(key);
    this.#put(key, undefined);
    return before;
  }

  keep(key: K, value: V): void {
    this.#put(key, value);
  }

  #put(key: K, value: V | undefined): void {
    if (this.#young.size >= LIMITS.entries && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
