/**
 * How many requests of each key are in flight. A key without any is not remembered, so memory is
 * bounded by the requests in flight themselves.
 */
export interface ConcurrencyLimiter {
  readonly requests: number;
  /** Takes a place. False where all are taken. */
  take(key: string): boolean;
  /** Gives a place back; exactly once for each that was taken. */
  release(key: string): void;
  /** Places that this key has left. */
  left(key: string): number;
  /** Requests in flight, of all keys. */
  readonly inFlight: number;
}

export function createConcurrency(requests: number): ConcurrencyLimiter {
  const counts = new Map<string, number>();
  let inFlight = 0;
  return {
    requests,
    take(key) {
      const count = counts.get(key) ?? 0;
      if (count >= requests) return false;
      counts.set(key, count + 1);
      inFlight += 1;
      return true;
    },
    release(key) {
      const count = counts.get(key);
      if (count === undefined) throw new TypeError("a place that was not taken");
      inFlight -= 1;
      if (count === 1) counts.delete(key);
      else counts.set(key, count - 1);
    },
    left: (key) => requests - (counts.get(key) ?? 0),
    get inFlight() {
      return inFlight;
    },
  };
}
