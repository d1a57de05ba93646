/**
 * How streams that are gone have ended, for the rules on frames that still come for them (RFC 9113
 * section 5.1): the peer may not have known, or it breaks the protocol. Only the latest are
 * remembered, so a connection's memory is bounded however many streams it has had.
 */

/**
 * `ended`: by END_STREAM from both sides. `reset-by-peer`: it has said so itself and may send nothing
 * more. `reset-by-us`: what it sent before it knew is ignored; so are streams above our last GOAWAY.
 */
export type Ending = "ended" | "reset-by-peer" | "reset-by-us";

const LIMITS = {
  /** More than are reset within a round trip on any connection that is not flooded. */
  remembered: 256,
} as const;

const ENDINGS: readonly Ending[] = ["ended", "reset-by-peer", "reset-by-us"];

export class ClosedStreams {
  #ids: Uint32Array | undefined;
  #endings: Uint8Array | undefined;
  #next = 0;

  add(id: number, ending: Ending): void {
    this.#ids ??= new Uint32Array(LIMITS.remembered);
    this.#endings ??= new Uint8Array(LIMITS.remembered);
    this.#ids[this.#next] = id;
    this.#endings[this.#next] = ENDINGS.indexOf(ending);
    this.#next = (this.#next + 1) % LIMITS.remembered;
  }

  /** Undefined: it was skipped, or is gone for so long that nothing of it can be under way. */
  endingOf(id: number): Ending | undefined {
    const at = this.#ids?.indexOf(id) ?? -1;
    return at === -1 ? undefined : ENDINGS[this.#endings?.[at] ?? 0];
  }
}
