import type { Timers } from "../model/ports.ts";

/** Timers of which one can see whether they are forgotten. */
export interface CountedTimers extends Timers {
  /** How many wait now. */
  readonly waiting: number;
}

class SystemTimers implements CountedTimers {
  readonly #waiting = new Set<NodeJS.Timeout>();

  get waiting(): number {
    return this.#waiting.size;
  }

  after(ms: number, run: () => void): () => void {
    const timer = setTimeout(() => {
      this.#waiting.delete(timer);
      run();
    }, ms);
    timer.unref();
    this.#waiting.add(timer);
    return () => {
      this.#waiting.delete(timer);
      clearTimeout(timer);
    };
  }
}

/** The machine's timers, unref'd: waiting work never keeps the process alive. */
export const systemTimers: CountedTimers = new SystemTimers();

/** Timers that run when a test says so. */
export class ManualTimers implements Timers {
  readonly #waiting = new Map<number, { readonly ms: number; readonly run: () => void }>();
  #next = 0;

  after(ms: number, run: () => void): () => void {
    const id = this.#next++;
    this.#waiting.set(id, { ms, run });
    return () => {
      this.#waiting.delete(id);
    };
  }

  /** Delays of what waits, in the order in which it was asked for. */
  get delays(): readonly number[] {
    return [...this.#waiting.values()].map((entry) => entry.ms);
  }

  /** Runs the first of what waits whose delay is one of these. */
  runFirst(which: (ms: number) => boolean): void {
    for (const [id, { ms, run }] of this.#waiting) {
      if (!which(ms)) continue;
      this.#waiting.delete(id);
      run();
      return;
    }
  }

  /** Runs everything that waits now; what it asks for anew waits for the next call. */
  runAll(): void {
    const due = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const entry of due) entry.run();
  }
}
