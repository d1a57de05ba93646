/** Timers as an argument, so that a test can turn them. */
export interface Timers {
  /** Calls `run` once after `ms`; the returned function cancels. Never keeps the process alive. */
  after(ms: number, run: () => void): () => void;
  /** Calls `run` after what is already waiting for its turn in the event loop. */
  soon(run: () => void): void;
}

export const systemTimers: Timers = Object.freeze({
  after(ms: number, run: () => void): () => void {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  soon(run: () => void): void {
    setImmediate(run);
  },
});
