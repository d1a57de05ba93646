/**
 * The signed frames that bring a follower from nothing, or from where it stood, to now: what both the
 * authority and a relay serve from. It makes no frame and changes none.
 *
 * Bounded: old changes go first. Who stood before them starts over with a snapshot.
 */
import type { FeedPosition } from "../../model/feed.ts";

export interface LogSnapshot {
  readonly number: number;
  readonly lines: readonly Buffer[];
  readonly bytes: number;
}

export interface LoggedChange {
  readonly before: number;
  readonly number: number;
  readonly line: Buffer;
}

export type LiveKind = "hello" | "change" | "settings" | "current";

/** Hears what goes to those who are connected. Must not throw. */
export interface LogObserver {
  line(kind: LiveKind, line: Buffer): void;
  /** Frames do not follow each other here: whoever is connected has to come again. */
  broken(): void;
}

const LIMITS = {
  /** Bytes of changes that are kept: some 80 000 revocations, or a day of ordinary ones. */
  changeBytes: 8 * 1024 * 1024,
  /** Of a million followers that come again most stood within a few hundred changes. */
  changes: 20_000,
  /** Keys whose frames may be in here. */
  hellos: 8,
} as const;

export class FrameLog {
  epoch = "";
  readonly #hellos = new Map<string, Buffer>();
  readonly #observers = new Set<LogObserver>();
  #snapshot: LogSnapshot | undefined;
  #changes: LoggedChange[] = [];
  #changeBytes = 0;
  /** All changes after this number are here. */
  #base = 0;
  #latest = 0;
  #settings: Buffer | undefined;
  #current: Buffer | undefined;

  get snapshot(): LogSnapshot | undefined {
    return this.#snapshot;
  }

  get latest(): FeedPosition {
    return { epoch: this.epoch, number: this.#latest };
  }

  get changeBytes(): number {
    return this.#changeBytes;
  }

  /** Bytes of changes that follow the snapshot, and that another one would spare. */
  get bytesSince(): number {
    const from = this.#snapshot?.number ?? 0;
    let bytes = 0;
    for (const { number, line } of this.#changes) if (number > from) bytes += line.length;
    return bytes;
  }

  get kids(): readonly string[] {
    return [...this.#hellos.keys()];
  }

  observe(observer: LogObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** Begins anew from a number: nothing before it is known here. */
  reset(epoch: string, number: number): void {
    this.epoch = epoch;
    this.rekey(number);
    for (const observer of this.#observers) observer.broken();
  }

  /** Drops all that is kept; those who are connected have had it. */
  rekey(number: number): void {
    this.#hellos.clear();
    this.#settings = undefined;
    this.#current = undefined;
    this.forget(number);
  }

  /** Drops snapshot and changes. */
  forget(number: number): void {
    this.#snapshot = undefined;
    this.#changes = [];
    this.#changeBytes = 0;
    this.#base = number;
    this.#latest = number;
  }

  hello(kid: string, line: Buffer): void {
    this.#hellos.delete(kid);
    this.#hellos.set(kid, line);
    const [oldest] = this.#hellos.keys();
    if (this.#hellos.size > LIMITS.hellos && oldest !== undefined) this.#hellos.delete(oldest);
    this.#tell("hello", line);
  }

  change(change: LoggedChange): void {
    this.#changes.push(change);
    this.#changeBytes += change.line.length;
    this.#latest = change.number;
    // It vouches for less than is known now.
    this.#current = undefined;
    while (this.#changes.length > LIMITS.changes || this.#changeBytes > LIMITS.changeBytes) {
      const oldest = this.#changes.shift();
      if (oldest === undefined) break;
      this.#changeBytes -= oldest.line.length;
      this.#base = oldest.number;
    }
    if (this.#snapshot !== undefined && this.#snapshot.number < this.#base) {
      this.#snapshot = undefined;
    }
    this.#tell("change", change.line);
  }

  settings(line: Buffer): void {
    this.#settings = line;
    this.#current = undefined;
    this.#tell("settings", line);
  }

  current(number: number, line: Buffer): void {
    this.#latest = Math.max(this.#latest, number);
    this.#current = line;
    this.#tell("current", line);
  }

  /** Takes a snapshot where the changes after it are here; changes before it are not needed. False: they are not. */
  take(snapshot: LogSnapshot): boolean {
    if (snapshot.number < this.#base) return false;
    this.#snapshot = snapshot;
    return true;
  }

  /** Drops the changes that the snapshot has. */
  compact(): void {
    const number = this.#snapshot?.number;
    if (number === undefined) return;
    this.#changes = this.#changes.filter((change) => change.number > number);
    this.#changeBytes = this.#changes.reduce((sum, { line }) => sum + line.length, 0);
    this.#base = Math.max(this.#base, number);
  }

  /** What is held for those to come is on the disk, or with others. */
  dropSnapshot(): void {
    this.#snapshot = undefined;
  }

  /** No other key signed what is kept. */
  onlyHello(kid: string): void {
    for (const other of this.#hellos.keys()) if (other !== kid) this.#hellos.delete(other);
  }

  get settingsLine(): readonly Buffer[] {
    return this.#settings === undefined ? [] : [this.#settings];
  }

  get hellos(): readonly Buffer[] {
    return [...this.#hellos.values()];
  }

  /** The frames after a position; undefined where only a snapshot helps. */
  after({ epoch, number }: FeedPosition): readonly Buffer[] | undefined {
    if (epoch !== this.epoch || number < this.#base) return undefined;
    return this.#changes.filter((change) => change.number > number).map(({ line }) => line);
  }

  /** What comes last: the settings, and the proof of freshness of now. */
  get closing(): readonly Buffer[] {
    return [this.#settings, this.#current].filter((line) => line !== undefined);
  }

  #tell(kind: LiveKind, line: Buffer): void {
    for (const observer of this.#observers) observer.line(kind, line);
  }
}
