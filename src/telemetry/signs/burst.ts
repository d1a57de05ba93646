/** A count within a window, and the decisions that made it: the first ones, since the last is known anyway. */
import { WindowCount } from "./window.ts";

const LIMITS = {
  /** Ids of decisions: with the one that passes the threshold as many as an event takes. */
  ids: 7,
} as const;

export class Burst {
  readonly #count = new WindowCount();
  #ids: string[] = [];

  /** How many there were within `windowMs`, with this one. */
  add(timeMs: number, windowMs: number, decisionId: string): number {
    const count = this.#count.add(timeMs, windowMs);
    if (count <= 1) this.#ids = [];
    if (this.#ids.length < LIMITS.ids) this.#ids.push(decisionId);
    return count;
  }

  /** Ids of the decisions; counts from nothing again. */
  end(): readonly string[] {
    const ids = this.#ids;
    this.#count.clear();
    this.#ids = [];
    return ids;
  }
}
