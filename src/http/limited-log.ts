/** A log for what strangers can make happen as often as they like: so many lines in a window, no more. */
import type { Clock, Log, LogFields } from "../model/ports.ts";

const LIMITS = {
  /** Lines in a window; the others are counted, and the next line says how many. */
  logged: 10,
  windowMs: 10_000,
} as const;

export class LimitedLog {
  readonly #clock: Clock;
  readonly #log: Log;
  #windowEnds = 0;
  #logged = 0;
  #unlogged = 0;

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  warn(event: string, fields: LogFields): void {
    const now = this.#clock.monotonic();
    if (now >= this.#windowEnds) {
      this.#windowEnds = now + LIMITS.windowMs;
      this.#logged = 0;
    }
    if (this.#logged >= LIMITS.logged) {
      this.#unlogged += 1;
      return;
    }
    this.#logged += 1;
    const before = this.#unlogged === 0 ? {} : { notLogged: this.#unlogged };
    this.#unlogged = 0;
    this.#log.warn(event, { ...fields, ...before });
  }
}
