/**
 * What is made of an object that comes again and again, such as a principal or its scopes, so that it
 * is not made anew with each request: kept from the object's second use on.
 *
 * A credential that is used once must leave nothing behind. In weak maps, filled at the first use, the
 * collectors found what a million such credentials had left too late: Node grew to 990 MB.
 */
const LIMITS = {
  /** Objects that are remembered; forgotten all at once when full, for callers bring their own. */
  entries: 4096,
} as const;

export class Recurring<K extends object, V> {
  /** Undefined: has come once. */
  #known = new Map<K, V | undefined>();

  /** What was kept for the object. */
  get(key: K): V | undefined {
    return this.#known.get(key);
  }

  /** Notes that the object has come. True if it had before: then what is made of it is worth keeping. */
  again(key: K): boolean {
    if (this.#known.has(key)) return true;
    if (this.#known.size >= LIMITS.entries) this.#known = new Map();
    this.#known.set(key, undefined);
    return false;
  }

  keep(key: K, value: V): void {
    this.#known.set(key, value);
  }
}
