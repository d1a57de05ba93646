/**
 * Lines → files, off the hot path: batches, one write in flight, group commit, rotation, and what to
 * do when the disk will not.
 *
 * What it promises: lines come out whole, in order, and none is dropped while the process lives. A
 * write that was cut short goes on at the very next byte; where that is not possible, the file is
 * left with a torn last line and the line begins anew in another file. In `strict`, what was written
 * but could not be synced is written again there, so after a failing disk one record may stand in
 * two files, byte for byte the same.
 */
import { SallyportError } from "../model/errors.ts";
import type { Clock, Counter, Histogram, Log, Timers } from "../model/ports.ts";
import { codeOf, type AuditFiles } from "./files.ts";
import { Lines } from "./lines.ts";
import { Segments } from "./segments.ts";

const LIMITS = {
  /**
   * Bytes that are handed to the disk without waiting for the timer. A write costs a thread's
   * wake-up whatever its size; beyond this size the copy costs more than that.
   */
  batch: 262_144,
  /** Milliseconds that a line may wait for others; what a crash of the process alone can lose. */
  writeDelayMs: 20,
  /** Back-off after a failure. Short at first, because space often comes back at once. */
  firstRetryMs: 50,
  longestRetryMs: 2000,
  /**
   * Milliseconds after which a disk that neither takes nor refuses (a network file system, a dying
   * device) counts as one that cannot be written.
   */
  stallMs: 10_000,
  /** Attempts while closing. Then what is left is lost, and said to be. */
  closeAttempts: 3,
} as const;

/** The disk is full, not broken: the same file goes on once there is room. */
const FULL: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT"]);

const LINE_FEED = 0x0a;

export interface WriterOptions {
  readonly folder: string;
  /** Part of the file names; begins with the process id. */
  readonly instance: string;
  readonly strict: boolean;
  readonly flushIntervalMs: number;
  readonly segmentBytes: number;
}

export interface WriterDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly files: AuditFiles;
  readonly timers: Timers;
  readonly written: Counter;
  readonly errors: Counter;
  readonly syncSeconds: Histogram;
}

/** What is written at once, and synced at once in `strict`. */
interface Round {
  readonly data: Uint8Array;
  /** The next byte to write. */
  offset: number;
  /** Who waits for it to be on disk. */
  readonly waiting: Deferred;
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class RecordWriter {
  readonly #options: WriterOptions;
  readonly #deps: WriterDeps;
  readonly #segments: Segments;
  /** Lines not yet in a round: full batches, oldest first, and the one that grows. */
  #batches: Uint8Array[] = [];
  readonly #growing = new Lines();
  #pendingSize = 0;
  #roundSize = 0;
  #running = false;
  #flushAsked = false;
  #syncAsked = false;
  #next: Deferred | undefined;
  #current: Deferred | undefined;
  #failure: SallyportError | undefined;
  #failures = 0;
  #failedAtMs = 0;
  /** After a failed write into a file that we go on with: how much of it got there is to be asked. */
  #recountNeeded = false;
  #checkedAtMs: number;
  #cancelFlush: (() => void) | undefined;
  #cancelSync: (() => void) | undefined;
  #cancelStall: (() => void) | undefined;
  /** The round whose time is up, and that may never end. */
  #stalled: Round | undefined;
  #stopWaiting: (() => void) | undefined;
  #closing: Deferred | undefined;
  #closeFailures = 0;
  #closed = false;

  private constructor(options: WriterOptions, deps: WriterDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#segments = new Segments(options, deps);
    this.#checkedAtMs = deps.clock.monotonic();
  }

  /** Makes the first file, which proves that there can be one. Rejects with `audit-failed`. */
  static async open(options: WriterOptions, deps: WriterDeps): Promise<RecordWriter> {
    const writer = new RecordWriter(options, deps);
    try {
      await writer.#segments.begin();
    } catch (error) {
      throw unwritable(options.folder, error);
    }
    return writer;
  }

  /** Bytes that were taken and are not yet written. */
  get pendingSize(): number {
    return this.#pendingSize + this.#roundSize;
  }

  /** Whether the last attempt to write failed. */
  get failing(): boolean {
    return this.#failure !== undefined;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Takes the line that `write` adds (without its line feed). When `write` throws, nothing was
   * taken. Whoever calls bounds how much is pending.
   */
  append(write: (lines: Lines) => void): void {
    if (this.#closed) throw new TypeError("the audit log is closed");
    const lines = this.#growing;
    const start = lines.size;
    try {
      write(lines);
      lines.end();
    } catch (error) {
      lines.rollback(start);
      throw error;
    }
    this.#pendingSize += lines.size - start;
    if (lines.size >= LIMITS.batch) {
      this.#batches.push(lines.take());
      this.#wake();
    } else if (this.#cancelFlush === undefined && !this.#running) {
      this.#armFlush();
    }
  }

  /** Settles when what was taken until now is written, in `strict` on disk; rejects as soon as that fails. */
  durable(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#pendingSize === 0) return this.#current?.promise ?? Promise.resolve();
    if (this.#next === undefined) {
      this.#next = deferred();
      // Not at once: the requests that this turn of the event loop still brings share the sync.
      setImmediate(() => this.#wake());
    }
    return this.#next.promise;
  }

  /**
   * Writes and syncs what is pending and closes the file. Rejects with `audit-failed` when that
   * cannot be done: then the records that are left are lost, and the error says how many bytes.
   */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = deferred();
      this.#stopWaiting?.();
      if (this.#stalled === undefined) this.#wake();
      else this.#giveUp(this.#stalled);
    }
    return this.#closing.promise;
  }

  #armFlush(): void {
    this.#cancelFlush = this.#deps.timers.after(LIMITS.writeDelayMs, () => {
      this.#cancelFlush = undefined;
      this.#flushAsked = true;
      this.#wake();
    });
  }

  #armSync(): void {
    this.#cancelSync ??= this.#deps.timers.after(this.#options.flushIntervalMs, () => {
      this.#cancelSync = undefined;
      this.#syncAsked = true;
      this.#wake();
    });
  }

  #wake(): void {
    if (this.#running || this.#closed) return;
    this.#running = true;
    void this.#work();
  }

  async #work(): Promise<void> {
    while (this.#isDue()) {
      const round = this.#beginRound();
      while (!(await this.#tryRound(round))) {
        if (this.#closeFailures >= LIMITS.closeAttempts) {
          this.#giveUp(round);
          return;
        }
        await this.#backOff();
      }
      this.#endRound(round);
    }
    if (this.#closing !== undefined) await this.#finish(this.#closing);
    this.#running = false;
    if (this.#pendingSize > 0 && this.#cancelFlush === undefined) this.#armFlush();
  }

  #isDue(): boolean {
    if (this.#pendingSize === 0) return this.#syncAsked && this.#segments.unsynced > 0;
    if (this.#flushAsked || this.#syncAsked || this.#batches.length > 0) return true;
    return this.#next !== undefined || this.#closing !== undefined;
  }

  #beginRound(): Round {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    this.#flushAsked = false;
    if (this.#growing.size > 0) this.#batches.push(this.#growing.take());
    const [first] = this.#batches;
    const data = this.#batches.length === 1 && first ? first : Buffer.concat(this.#batches);
    this.#batches = [];
    this.#roundSize = this.#pendingSize;
    this.#pendingSize = 0;
    this.#current = this.#next ?? deferred();
    this.#next = undefined;
    const round = { data, offset: 0, waiting: this.#current };
    this.#cancelStall = this.#deps.timers.after(LIMITS.stallMs, () => this.#stall(round));
    return round;
  }

  #stall(round: Round): void {
    this.#stalled = round;
    if (this.#failure === undefined) this.#fail(round, new Error("the disk does not answer"));
    if (this.#closing !== undefined) this.#giveUp(round);
  }

  #endRound(round: Round): void {
    this.#cancelStall?.();
    this.#stalled = undefined;
    this.#growing.giveBack(round.data);
    if (this.#failure !== undefined) {
      const seconds = (this.#deps.clock.monotonic() - this.#failedAtMs) / 1000;
      this.#deps.log.info("audit: the log can be written again", { seconds });
      this.#failure = undefined;
      this.#failures = 0;
    }
    this.#roundSize = 0;
    this.#current = undefined;
    round.waiting.resolve();
  }

  /** False: it failed, and what is to be done next time stands in the round. */
  async #tryRound(round: Round): Promise<boolean> {
    try {
      await this.#openSegment(round);
      await this.#writeOut(round);
    } catch (error) {
      this.#fail(round, error);
      if (FULL.has(codeOf(error))) this.#recountNeeded = true;
      else await this.#leaveSegment(round);
      return false;
    }
    try {
      await this.#syncWhereDue();
    } catch (error) {
      const unsynced = this.#segments.unsynced;
      this.#fail(round, error);
      this.#deps.log.error("audit: what was written may not be on disk", {
        file: this.#segments.name,
        bytes: unsynced,
      });
      // A sync that failed once may succeed the next time without having done anything: the system
      // drops the pages it could not write. So nothing in this file can be relied on any more.
      await this.#leaveSegment(round);
      return false;
    }
    return true;
  }

  async #openSegment(round: Round): Promise<void> {
    const segments = this.#segments;
    if (segments.isOpen && this.#recountNeeded) {
      const more = await segments.recount();
      if (more === undefined || more > round.data.length - round.offset) {
        await this.#leaveSegment(round);
      } else {
        round.offset += more;
        this.#recountNeeded = false;
      }
    }
    const full =
      segments.isOpen && round.offset === 0 && segments.size >= this.#options.segmentBytes;
    if (full) await segments.finish();
    if (segments.isOpen) return;
    await segments.begin();
    this.#recountNeeded = false;
  }

  async #writeOut(round: Round): Promise<void> {
    while (round.offset < round.data.length) {
      const taken = await this.#segments.write(round.data, round.offset);
      if (taken === 0) throw new Error("the disk took no byte");
      round.offset += taken;
      this.#deps.written.inc(taken);
    }
  }

  async #syncWhereDue(): Promise<void> {
    const asked = this.#syncAsked || this.#closing !== undefined;
    if (!this.#options.strict && !asked) {
      if (this.#segments.unsynced > 0) this.#armSync();
      return;
    }
    const started = this.#deps.clock.monotonic();
    await this.#segments.sync();
    this.#syncAsked = false;
    const now = this.#deps.clock.monotonic();
    this.#deps.syncSeconds.observe((now - started) / 1000);
    if (now - this.#checkedAtMs >= this.#options.flushIntervalMs) {
      this.#checkedAtMs = now;
      await this.#checkPlace();
    }
  }

  /** A file that was moved or deleted would take records that nobody finds. */
  async #checkPlace(): Promise<void> {
    if (await this.#segments.isThere()) return;
    this.#deps.errors.inc();
    this.#deps.log.error(
      "audit: the file was moved or deleted while it was written; a new one begins",
      {
        file: this.#segments.name,
        bytes: this.#segments.size,
      },
    );
    await this.#segments.abandon();
  }

  #fail(round: Round, error: unknown): void {
    this.#failures += 1;
    if (this.#closing !== undefined) this.#closeFailures += 1;
    if (this.#failure === undefined) this.#failedAtMs = this.#deps.clock.monotonic();
    this.#failure = unwritable(this.#options.folder, error);
    this.#deps.errors.inc();
    this.#deps.log.error("audit: the log cannot be written; traffic is refused", {
      error: this.#failure,
      pendingBytes: this.pendingSize,
    });
    round.waiting.reject(this.#failure);
    this.#next?.reject(this.#failure);
    this.#next = undefined;
    this.#current = undefined;
  }

  /** Goes on in another file: at the beginning of the round where nothing of it is on disk for sure, else of the torn line. */
  async #leaveSegment(round: Round): Promise<void> {
    this.#recountNeeded = false;
    if (this.#options.strict) round.offset = 0;
    else if (round.offset > 0 && round.offset < round.data.length) {
      round.offset = round.data.lastIndexOf(LINE_FEED, round.offset - 1) + 1;
    }
    await this.#segments.abandon();
  }

  #backOff(): Promise<void> {
    const doubled = LIMITS.firstRetryMs * 2 ** Math.min(this.#failures - 1, 16);
    return new Promise((resolve) => {
      const cancel = this.#deps.timers.after(Math.min(doubled, LIMITS.longestRetryMs), resolve);
      this.#stopWaiting = () => {
        cancel();
        resolve();
      };
    });
  }

  async #finish(closing: Deferred): Promise<void> {
    this.#closed = true;
    this.#cancelFlush?.();
    this.#cancelSync?.();
    try {
      if (this.#segments.isOpen) await this.#segments.finish();
      closing.resolve();
    } catch (error) {
      this.#deps.errors.inc();
      closing.reject(unwritable(this.#options.folder, error));
    }
  }

  #giveUp(round: Round): void {
    this.#closed = true;
    this.#cancelFlush?.();
    this.#cancelSync?.();
    this.#cancelStall?.();
    const lost = round.data.length - round.offset + this.#pendingSize;
    const error = new SallyportError(
      "audit-failed",
      `audit: ${lost} bytes of records could not be written and are lost`,
      { cause: this.#failure },
    );
    this.#deps.log.error("audit: records are lost", { error, bytes: lost });
    this.#closing?.reject(error);
  }
}

function unwritable(folder: string, cause: unknown): SallyportError {
  const code = codeOf(cause);
  const why = code ?? (cause instanceof Error ? cause.message : "unknown");
  return new SallyportError("audit-failed", `audit: ${folder} cannot be written (${why})`, {
    cause,
  });
}

/** A promise with its verbs. That nobody waits for it is no fault. */
function deferred(): Deferred {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
