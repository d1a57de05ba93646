/**
 * How far each file of the log was looked at. One that nothing is known of and that is older than this
 * process by more than an hour is history: nobody is to be alarmed by it now.
 */
import type { SignsState } from "./signs-state.ts";

const LIMITS = {
  /** Milliseconds before the start from which files are looked at that nothing is known of. */
  backMs: 3_600_000,
  /** Files that something is kept of: those that are written, and those that ended lately. */
  files: 4096,
} as const;

export class Positions {
  readonly #bytes: Map<string, number>;
  readonly #ended: Set<string>;
  readonly #sinceMs: number;

  constructor(startMs: number, state: SignsState | undefined) {
    this.#bytes = new Map(Object.entries(state?.positions ?? {}));
    this.#ended = new Set(state?.ended);
    this.#sinceMs = startMs - LIMITS.backMs;
  }

  get(segment: string): number {
    const known = this.#bytes.get(segment);
    if (known !== undefined) return known;
    return startOf(segment) < this.#sinceMs ? Number.MAX_SAFE_INTEGER : 0;
  }

  moved(segment: string, bytes: number): void {
    this.#bytes.set(segment, bytes);
  }

  ended(segment: string): void {
    this.#ended.add(segment);
  }

  /** For the file, without what would not be looked at anyway. */
  kept(nowMs: number): Pick<SignsState, "positions" | "ended"> {
    const old = nowMs - LIMITS.backMs;
    for (const segment of this.#ended) {
      if (startOf(segment) >= old) continue;
      this.#bytes.delete(segment);
      this.#ended.delete(segment);
    }
    const beyond = this.#bytes.size - LIMITS.files;
    for (const segment of [...this.#bytes.keys()].toSorted().slice(0, Math.max(0, beyond))) {
      this.#bytes.delete(segment);
      this.#ended.delete(segment);
    }
    return { positions: Object.fromEntries(this.#bytes), ended: [...this.#ended] };
  }
}

/** By its name, `audit-20261124T040506.123Z-…`; what has another name is as new as can be. */
function startOf(segment: string): number {
  const parts = /^audit-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})Z-/.exec(segment);
  if (parts === null) return Infinity;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0] = parts
    .slice(1)
    .map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second, ms);
}
