/**
 * stderr without waiting for its reader: lines are handed to the system in another thread, what the
 * reader does not take in time is dropped and counted, and a reader that went away ends nothing.
 *
 * pino's own destination does the first two, but its last flush never returns when the reader is
 * gone (Node 26, pino 10.4), which would keep a proxy from ending.
 */
import { write } from "node:fs";
import type { WriteSome } from "../platform/stdout.ts";

const LIMITS = {
  /** Bytes that wait for the reader. */
  waiting: 1024 * 1024,
  /** Milliseconds until a full pipe is tried again. */
  retryMs: 20,
  /** Milliseconds that the end waits for the reader. */
  closeMs: 1000,
} as const;

const writeStderr: WriteSome = (data, done) => {
  write(2, data, 0, data.length, null, done);
};

export class StderrLines {
  readonly #write: WriteSome;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #busy = false;
  #gone = false;
  #dropped = 0;
  #idle: (() => void) | undefined;

  constructor(writeSome: WriteSome = writeStderr) {
    this.#write = writeSome;
  }

  /** Lines dropped until now. */
  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    const bytes = Buffer.from(line, "utf8");
    if (this.#gone || this.#waitingBytes + bytes.length > LIMITS.waiting) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#busy) this.#next();
  }

  /** Settles when all is handed over, or after a second. */
  async close(): Promise<void> {
    if (!this.#busy) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LIMITS.closeMs);
      this.#idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #next(): void {
    const data = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = data.length;
    this.#busy = true;
    this.#write(data, (error, bytes) =>
      this.#wrote(data.subarray(error === null ? bytes : 0), error),
    );
  }

  #wrote(rest: Uint8Array, error: { readonly code?: string } | null): void {
    if (error !== null && error.code !== "EAGAIN") {
      this.#gone = true;
      this.#waiting = [];
    } else if (rest.length > 0) {
      this.#waiting.unshift(rest);
    }
    this.#waitingBytes = this.#waiting.reduce((sum, bytes) => sum + bytes.length, 0);
    if (this.#waiting.length === 0) {
      this.#busy = false;
      this.#idle?.();
    } else if (error === null) {
      this.#next();
    } else {
      setTimeout(() => this.#next(), LIMITS.retryMs).unref();
    }
  }
}
