/**
 * Sends one witness the newest checkpoint, again and again until it is taken, later and later while it is
 * not. Only the newest one waits: it speaks for all records before it, so nothing grows while a witness is
 * dead. Nobody waits for it but `close`.
 */
import type { Clock, Timers } from "../../model/ports.ts";
import type { Checkpoint, Witness, WitnessAnswer } from "./witness.ts";

const LIMITS = {
  /** Milliseconds for one request to a witness. */
  request: 10_000,
  /** Milliseconds before the second try. */
  first: 1000,
  /** Milliseconds between tries at most: a witness that comes back is used within this. */
  longest: 5 * 60_000,
  /** Doublings, so that the number stays one. */
  doublings: 10,
} as const;

export interface DeliveryDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Between 0 and 1: the machines of one operator do not come back in step. */
  readonly random: () => number;
  /** What came of a try. Must not throw. */
  readonly answered: (checkpoint: Checkpoint, answer: WitnessAnswer) => void;
}

export class Delivery {
  readonly #witness: Witness;
  readonly #deps: DeliveryDeps;
  /** The largest size that the witness is known to hold. */
  #known: number;
  #waiting: Checkpoint | undefined;
  #sending: Promise<void> | undefined;
  #callOff: (() => void) | undefined;
  #failures = 0;
  #closed = false;
  #offered = 0;
  #lastSuccess: number | undefined;

  constructor(witness: Witness, known: number, deps: DeliveryDeps) {
    this.#witness = witness;
    this.#known = known;
    this.#deps = deps;
  }

  get name(): string {
    return this.#witness.name;
  }

  /** Size of the last checkpoint that the witness took. */
  get witnessed(): number {
    return this.#known;
  }

  /** Records of the newest checkpoint that the witness has not seen. */
  get lag(): number {
    return Math.max(0, this.#offered - this.#known);
  }

  /** Undefined: none since the start. */
  get secondsSinceSuccess(): number | undefined {
    if (this.#lastSuccess === undefined) return undefined;
    return Math.max(0, this.#deps.clock.monotonic() - this.#lastSuccess) / 1000;
  }

  offer(checkpoint: Checkpoint): void {
    this.#offered = Math.max(this.#offered, checkpoint.size);
    // One that is smaller goes out too: a log that got shorter is what a witness is there to notice.
    if (this.#closed || checkpoint.size === this.#known) return;
    this.#waiting = checkpoint;
    if (this.#sending === undefined && this.#callOff === undefined) this.#start();
  }

  /** One last try, all of it within so many milliseconds. */
  async close(withinMs: number): Promise<void> {
    const { clock } = this.#deps;
    const until = clock.monotonic() + withinMs;
    this.#closed = true;
    this.#callOff?.();
    this.#callOff = undefined;
    await this.#within(this.#sending, withinMs);
    const left = until - clock.monotonic();
    if (this.#waiting === undefined || this.#sending !== undefined || left <= 0) return;
    await this.#within(this.#try(left), left);
  }

  #start(): void {
    this.#sending = this.#try(LIMITS.request).finally(() => {
      this.#sending = undefined;
      if (this.#waiting === undefined || this.#closed) return;
      if (this.#failures === 0) this.#start();
      else this.#startLater();
    });
  }

  #startLater(): void {
    const { timers, random } = this.#deps;
    const doubled = LIMITS.first * 2 ** Math.min(this.#failures - 1, LIMITS.doublings);
    const pause = Math.min(doubled, LIMITS.longest) * (0.5 + random() / 2);
    this.#callOff = timers.after(pause, () => {
      this.#callOff = undefined;
      this.#start();
    });
  }

  async #try(timeoutMs: number): Promise<void> {
    const checkpoint = this.#waiting;
    if (checkpoint === undefined) return;
    this.#waiting = undefined;
    const answer = await this.#witness.send(checkpoint, { known: this.#known, timeoutMs });
    if (answer.outcome === "witnessed") {
      this.#failures = 0;
      this.#known = checkpoint.size;
      this.#lastSuccess = this.#deps.clock.monotonic();
    } else {
      this.#failures += 1;
      this.#waiting ??= checkpoint;
    }
    this.#deps.answered(checkpoint, answer);
  }

  async #within(done: Promise<void> | undefined, ms: number): Promise<void> {
    if (done === undefined) return;
    let callOff = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      callOff = this.#deps.timers.after(ms, resolve);
    });
    await Promise.race([done, late]);
    callOff();
  }
}
