/**
 * What the workers of one machine (with Redis: all replicas) hold in common for a time: which proofs were
 * used, which sessions were ended. Spaces are named by us, never by a caller, and each has a bound of its
 * own, so that filling one takes nothing from another. Keys and values may be secrets of callers: whoever
 * needs only to recognise one puts its hash in here.
 *
 * Each verb throws or rejects with SallyportError: `memory-unavailable` where it cannot be reached, so
 * that nothing is known; `memory-full` where a space has no room, because it refuses rather than forgets.
 * Neither may be taken for "nobody had it": the caller refuses.
 */
export interface SharedMemory {
  /**
   * Milliseconds since the epoch. What others claimed before it may be forgotten: what held it was lost,
   * and this process noticed. 0: it noticed nothing of the kind.
   */
  readonly since: number;
  /** True for exactly one caller within `ttlMs`, false for every other. */
  claim(space: string, key: string, ttlMs: number): boolean | Promise<boolean>;
  /** The value that everybody gets: the one that is there, else this one, which is kept for `ttlMs`. */
  agree(space: string, key: string, value: string, ttlMs: number): string | Promise<string>;
  get(space: string, key: string): string | undefined | Promise<string | undefined>;
  put(space: string, key: string, value: string, ttlMs: number): void | Promise<void>;
  remove(space: string, key: string): void | Promise<void>;
}
