/** Events that come before the log that they are written into is open wait for it. */
import type { EventLog, EventRecord } from "../../model/events.ts";

const LIMITS = {
  /** Events that wait: what a start finds of a crash is a few. Those beyond are lost. */
  waiting: 1000,
} as const;

export class EarlyEvents implements EventLog {
  #log: EventLog | undefined;
  #waiting: EventRecord[] = [];

  event(record: EventRecord): void {
    if (this.#log !== undefined) this.#log.event(record);
    else if (this.#waiting.length < LIMITS.waiting) this.#waiting.push(record);
  }

  goTo(log: EventLog): void {
    this.#log = log;
    for (const record of this.#waiting) log.event(record);
    this.#waiting = [];
  }
}
