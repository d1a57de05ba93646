/**
 * The file of an access log: appended to, whole lines, begun anew when it is full or when somebody has
 * renamed or removed it (logrotate needs to tell nobody). Written in step, in the thread that keeps the
 * log: what the disk does not take is lost and counted, because the audit log is the record.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { SallyportError } from "../../model/errors.ts";

export interface Rotation {
  readonly bytes: number;
  readonly keep: number;
}

export interface AccessTarget {
  /** False where it is lost. */
  write(lines: string): boolean;
  /** Time passes. */
  tick(): void;
  close(): Promise<void>;
}

/** Makes its folder where there is none. Throws SallyportError `io-failed`. */
export function openAccessFile(path: string, rotation: Rotation | undefined): AccessTarget {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return new AccessFile(path, rotation);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new SallyportError("io-failed", `accessLog: ${path} cannot be written (${code})`, {
      cause,
    });
  }
}

const LINE_FEED = "\n";

class AccessFile implements AccessTarget {
  readonly #path: string;
  readonly #rotation: Rotation | undefined;
  #descriptor: number | undefined;
  #size = 0;
  /** Whether its last line has no end: a write was cut short. */
  #torn = false;

  constructor(path: string, rotation: Rotation | undefined) {
    this.#path = path;
    this.#rotation = rotation;
    this.#open();
  }

  write(lines: string): boolean {
    try {
      if (this.#descriptor === undefined) this.#open();
      if (this.#rotation !== undefined && this.#size >= this.#rotation.bytes) this.#rotate();
      this.#writeAll(Buffer.from(this.#torn ? LINE_FEED + lines : lines, "utf8"));
      return true;
    } catch {
      return false;
    }
  }

  tick(): void {
    if (this.#isThere()) return;
    this.#close();
    try {
      this.#open();
    } catch {
      // The next line tries again, and is counted where it cannot be written.
    }
  }

  close(): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  #writeAll(bytes: Uint8Array): void {
    if (this.#descriptor === undefined) throw new Error("the file is not open");
    for (let from = 0; from < bytes.length;) {
      const written = writeSync(this.#descriptor, bytes, from);
      from += written;
      this.#size += written;
      this.#torn = from < bytes.length;
    }
  }

  #open(): void {
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;
    const flags = O_APPEND | O_CREAT | O_NOFOLLOW | O_WRONLY;
    this.#descriptor = openSync(this.#path, flags, 0o600);
    this.#size = fstatSync(this.#descriptor).size;
    this.#torn = false;
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** Each is renamed, the oldest first, so that at every moment no line is under two names or none. */
  #rotate(): void {
    const keep = this.#rotation?.keep ?? 1;
    rmSync(`${this.#path}.${keep}`, { force: true });
    for (let number = keep - 1; number >= 1; number--) {
      const name = `${this.#path}.${number}`;
      if (statSync(name, { throwIfNoEntry: false }) !== undefined) {
        renameSync(name, `${this.#path}.${number + 1}`);
      }
    }
    renameSync(this.#path, `${this.#path}.1`);
    this.#close();
    this.#open();
  }

  #isThere(): boolean {
    if (this.#descriptor === undefined) return false;
    try {
      const named = statSync(this.#path, { throwIfNoEntry: false });
      const open = fstatSync(this.#descriptor);
      return named !== undefined && named.ino === open.ino && named.dev === open.dev;
    } catch {
      return false;
    }
  }
}
