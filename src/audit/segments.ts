/**
 * The files of one writer, one after the other. Only the newest is ever written, and only at its
 * end; an older one is synced, closed, and never touched again.
 */
import type { Clock, Log } from "../model/ports.ts";
import { codeOf, type AuditFile, type AuditFiles } from "./files.ts";
import { segmentName } from "./segment-names.ts";

const LIMITS = {
  /** Names tried for a new file. One that is taken is rare; more mean that something is wrong. */
  names: 16,
} as const;

export interface SegmentsOptions {
  readonly folder: string;
  readonly instance: string;
}

export interface SegmentsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly files: AuditFiles;
}

export class Segments {
  readonly #options: SegmentsOptions;
  readonly #deps: SegmentsDeps;
  #file: AuditFile | undefined;
  #name = "";
  #startMs = 0;
  /** Bytes that we know to be in the file. */
  #size = 0;
  #unsynced = 0;

  constructor(options: SegmentsOptions, deps: SegmentsDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  get name(): string {
    return this.#name;
  }

  /** Bytes in the newest file. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of it that may not be on disk yet. */
  get unsynced(): number {
    return this.#unsynced;
  }

  /** Begins a new file. The one before must be closed or abandoned. */
  async begin(): Promise<void> {
    const { clock, files } = this.#deps;
    const { folder, instance } = this.#options;
    for (let tried = 1; ; tried++) {
      // Later than the one before, though the clock went back: by name, files are in their order.
      this.#startMs = Math.max(clock.now(), this.#startMs + 1);
      const name = segmentName(this.#startMs, instance);
      try {
        this.#file = await files.create(folder, name);
        this.#name = name;
        this.#size = 0;
        this.#unsynced = 0;
        return;
      } catch (error) {
        if (codeOf(error) !== "EEXIST" || tried >= LIMITS.names) throw error;
      }
    }
  }

  /** Appends once; how many bytes the disk took. */
  async write(data: Uint8Array, offset: number): Promise<number> {
    const taken = await this.#opened().write(data, offset);
    this.#size += taken;
    this.#unsynced += taken;
    return taken;
  }

  async sync(): Promise<void> {
    if (this.#unsynced === 0) return;
    await this.#opened().datasync();
    this.#unsynced = 0;
  }

  /**
   * After a failed write: how many bytes got into the file all the same; undefined when the file
   * does not hold what we know it to hold, and so cannot be gone on with.
   */
  async recount(): Promise<number | undefined> {
    const more = (await this.#opened().size()) - this.#size;
    if (more < 0) return undefined;
    this.#size += more;
    this.#unsynced += more;
    return more;
  }

  /** Whether the file still stands where it was made. */
  isThere(): Promise<boolean> {
    return this.#deps.files.at(`${this.#options.folder}/${this.#name}`, this.#opened());
  }

  /** Ends the file in good order; one without a record is removed. */
  async finish(): Promise<void> {
    await this.sync();
    const empty = this.#size === 0;
    await this.#opened().close();
    this.#file = undefined;
    if (empty) await this.#deps.files.remove(`${this.#options.folder}/${this.#name}`);
  }

  /** Leaves the file as it is, because it cannot be relied on. Never throws. */
  async abandon(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      await file.close();
    } catch (error) {
      const fields = { file: this.#name, error: error instanceof Error ? error : undefined };
      this.#deps.log.warn("audit: an abandoned file could not be closed", fields);
    }
  }

  #opened(): AuditFile {
    if (this.#file === undefined) throw new TypeError("no file is open");
    return this.#file;
  }
}
