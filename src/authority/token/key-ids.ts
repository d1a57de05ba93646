/** Ids of keys (`jti`): random, so that nobody guesses one that somebody else could give back, and none comes twice. */

const LIMITS = {
  /** 128 bits. */
  bytes: 16,
  /** Asked for at a time: each asking is a call of the system, which costs as much as a hundred ids. */
  ids: 256,
} as const;

export function createKeyIds(random: (bytes: number) => Uint8Array): () => string {
  let pool = Buffer.alloc(0);
  let from = 0;
  return () => {
    if (from === pool.length) {
      pool = Buffer.from(random(LIMITS.bytes * LIMITS.ids));
      from = 0;
    }
    const id = pool.toString("base64url", from, from + LIMITS.bytes);
    // One that was given away is not kept.
    pool.fill(0, from, from + LIMITS.bytes);
    from += LIMITS.bytes;
    return id;
  };
}
