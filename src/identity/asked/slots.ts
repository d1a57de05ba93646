/**
 * How many questions to one provider are under way at once. What comes beyond waits its turn, up to a
 * number and for a time: a provider that hangs holds neither our memory nor our callers for long.
 */
import { SallyportError } from "../../model/errors.ts";
import type { Timers } from "../../model/ports.ts";

export interface SlotLimits {
  readonly atOnce: number;
  /** Beyond this many that wait, the next is refused at once. */
  readonly waiting: number;
  /** Longest wait. */
  readonly waitMs: number;
}

export class Slots {
  readonly #limits: SlotLimits;
  readonly #timers: Timers;
  readonly #waiting = new Set<() => void>();
  #busy = 0;

  constructor(limits: SlotLimits, timers: Timers) {
    this.#limits = limits;
    this.#timers = timers;
  }

  /** Runs `work` when it is its turn. Rejects as it does, or with `fetch-failed` where its turn does not come. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy >= this.#limits.atOnce) await this.#turn();
    else this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.size >= this.#limits.waiting) return Promise.reject(tooMany());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = this.#timers.after(this.#limits.waitMs, () => {
      this.#waiting.delete(begin);
      reject(tooMany());
    });
    const begin = (): void => {
      giveUp();
      resolve();
    };
    this.#waiting.add(begin);
    return promise;
  }

  /** The slot goes to the one that waits longest, or is free. */
  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#busy -= 1;
      return;
    }
    this.#waiting.delete(first);
    first();
  }
}

function tooMany(): SallyportError {
  return new SallyportError("fetch-failed", "too many questions to the provider are under way");
}
