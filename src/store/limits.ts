/** The bounds of what can be kept; the same for both engines, so that a store can move. */
export const STORE_LIMITS = {
  /** Documents in one answer: 10 000 take the thread that asked some 40 ms, so who serves asks for fewer. */
  list: 10_000,
  /** Writes in one commit: they are held in memory, and the counter is locked meanwhile. */
  writes: 1000,
  /** Characters of an id. With four bytes each it still fits an index entry of Postgres (2 704 bytes). */
  id: 512,
  /** Characters of one body: the files that a bundle can name have at most 16 MiB. */
  body: 24 * 1024 * 1024,
  /** Arrays and objects around a value. */
  depth: 32,
  /** Documents that a purge takes at a time: others can commit in between. */
  purge: 1000,
  /** Verbs that wait for their answer: beyond it the store is too slow, and who asks is told at once. */
  waiting: 2000,
  /** Milliseconds until a verb that has no answer is given up. */
  answer: 5000,
  /** Milliseconds that a commit waits for the commit of another process. */
  lock: 3000,
  /**
   * Milliseconds that the clock may go back without being followed: commits of later numbers then
   * keep the time of the last. A clock that was wrong by more is believed anew.
   */
  clockStep: 60_000,
} as const;
