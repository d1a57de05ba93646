/**
 * Whether the times of checkpoints can be true. No key signs them, so whoever can write the folder can write
 * others; but they stand in an order, over records that have times of their own (which are sealed), and beside
 * what witnesses say of when they saw them. What contradicts these is told. What is consistent with all of them may be
 * false all the same: a checkpoint may be said to be later than it was, up to the next one that was witnessed.
 */
import { segmentFile } from "../../segment-names.ts";
import { createTimeCheck } from "../../record-time.ts";

const LIMITS = {
  /** Milliseconds that clocks may differ, and be set back: a machine that wakes up corrects its own by minutes. */
  skewMs: 600_000,
  /** What is told of them; the rest is counted. */
  told: 20,
} as const;

export interface TimedCheckpoint {
  /** Line of `checkpoints.jsonl`, from 1. */
  readonly number: number;
  readonly time: string;
  /** Of the newest record that it adds, as far as one was read, milliseconds since the epoch. */
  readonly newestMs: number | undefined;
}

export class Times {
  readonly #isTime = createTimeCheck();
  readonly #told: string[] = [];
  readonly #named = new Set<string>();
  #count = 0;
  /** The latest time of a checkpoint, of a record under one, and at which a witness saw one; and whose it is. */
  #floor = { ms: Number.NEGATIVE_INFINITY, whose: "" };

  get told(): readonly string[] {
    return this.#told;
  }

  get count(): number {
    return this.#count;
  }

  /** The next checkpoint. Its time, where it is one. */
  check({ number, time, newestMs }: TimedCheckpoint): number | undefined {
    if (!this.#isTime(time)) {
      this.#tell(`checkpoint ${number} has no time`);
      return undefined;
    }
    const ms = Date.parse(time);
    if (newestMs !== undefined && newestMs > ms + LIMITS.skewMs) {
      // Told once: a record of the year 9999, which somebody planted, says nothing of what comes behind it.
      const newest = new Date(newestMs).toISOString();
      this.#tell(
        `checkpoint ${number} is said to be of ${time}, before ${newest}, of a record that it covers`,
      );
    } else if (newestMs !== undefined)
      this.#raise(newestMs, `of a record under checkpoint ${number}`);
    if (ms < this.#floor.ms - LIMITS.skewMs) {
      const floor = new Date(this.#floor.ms).toISOString();
      this.#tell(
        `checkpoint ${number} is said to be of ${time}, before ${floor}, ${this.#floor.whose}`,
      );
    }
    this.#raise(ms, `the time of checkpoint ${number}`);
    return ms;
  }

  /** A file whose name says that it began after a record in it; no key signs the name. Once for each. */
  named(segment: string, recordMs: number): void {
    const startMs = segmentFile(segment)?.startMs ?? Number.NaN;
    if (!(startMs > recordMs + LIMITS.skewMs) || this.#named.has(segment)) return;
    this.#named.add(segment);
    this.#tell(
      `${segment} has a record of ${new Date(recordMs).toISOString()}, before it began by its name`,
    );
  }

  /** After `check` of it: a witness saw it then, so that what comes behind it is not from before. */
  cosigned(number: number, seenMs: number, ms: number | undefined): void {
    if (ms !== undefined && ms > seenMs + LIMITS.skewMs) {
      const seen = new Date(seenMs).toISOString();
      const said = new Date(ms).toISOString();
      this.#tell(
        `checkpoint ${number} is said to be of ${said}, and a witness cosigned it at ${seen}`,
      );
    }
    this.#raise(seenMs, `when a witness cosigned checkpoint ${number}`);
  }

  /** After the last one. */
  end(nowMs: number): void {
    if (this.#floor.ms <= nowMs + LIMITS.skewMs) return;
    this.#tell(`${new Date(this.#floor.ms).toISOString()}, ${this.#floor.whose}, is yet to come`);
  }

  #raise(ms: number, whose: string): void {
    if (ms > this.#floor.ms) this.#floor = { ms, whose };
  }

  #tell(what: string): void {
    this.#count += 1;
    if (this.#told.length < LIMITS.told) this.#told.push(what);
  }
}
