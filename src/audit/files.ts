/**
 * The few things that the audit log does with the file system, as a port: tests put a full, a slow
 * or a failing disk in its place.
 *
 * Files are made anew (O_EXCL) and only ever appended to (O_APPEND): no verb here can change a byte
 * that was written.
 */
import { constants, close, fchmod, fdatasync, fstat, fsync, open, write } from "node:fs";
import { lstat, statfs, unlink } from "node:fs/promises";
import { promisify } from "node:util";

const openFile = promisify(open);
const closeFile = promisify(close);
const chmodFile = promisify(fchmod);
const datasyncFile = promisify(fdatasync);
const syncFile = promisify(fsync);
const statFile = promisify(fstat);

/** One file that grows. */
export interface AuditFile {
  /** Appends `data` from `offset`; how many bytes were taken, which may be fewer than there are. */
  write(data: Uint8Array, offset: number): Promise<number>;
  /** Settles when all that was written is on disk (fdatasync). */
  datasync(): Promise<void>;
  /** Bytes in the file. */
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface AuditFiles {
  /** Makes the file with mode 0600; fails with EEXIST if there is one. Its name is on disk when this settles. */
  create(folder: string, name: string): Promise<AuditFile>;
  /** Whether `path` still leads to `file`, which may have been moved or deleted. */
  at(path: string, file: AuditFile): Promise<boolean>;
  /** Free bytes of the disk that holds the folder. */
  free(folder: string): Promise<number>;
  remove(path: string): Promise<void>;
}

export const systemFiles: AuditFiles = Object.freeze({
  async create(folder: string, name: string): Promise<AuditFile> {
    const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    const flags = O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY;
    const descriptor = await openFile(`${folder}/${name}`, flags, 0o600);
    const file = new SystemFile(descriptor);
    try {
      // A umask can only take bits away; a default ACL could give some.
      await chmodFile(descriptor, 0o600);
      await syncFolder(folder);
    } catch (error) {
      await file.close();
      // It is empty; left behind, each retry would leave another one.
      await unlink(`${folder}/${name}`);
      throw error;
    }
    return file;
  },
  async at(path: string, file: AuditFile): Promise<boolean> {
    if (!(file instanceof SystemFile)) throw new TypeError("a file of these files");
    try {
      const [there, here] = await Promise.all([lstat(path), file.stat()]);
      return there.ino === here.ino && there.dev === here.dev;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return false;
      throw error;
    }
  },
  async free(folder: string): Promise<number> {
    const figures = await statfs(folder);
    return figures.bavail * figures.bsize;
  },
  remove: unlink,
});

class SystemFile implements AuditFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(data: Uint8Array, offset: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.#descriptor, data, offset, data.length - offset, null, (error, bytes) => {
        if (error) reject(error);
        else resolve(bytes);
      });
    });
  }

  datasync(): Promise<void> {
    return datasyncFile(this.#descriptor);
  }

  stat(): Promise<{ readonly ino: number; readonly dev: number; readonly size: number }> {
    return statFile(this.#descriptor);
  }

  async size(): Promise<number> {
    return (await this.stat()).size;
  }

  close(): Promise<void> {
    return closeFile(this.#descriptor);
  }
}

/** Without it a new file's name can be lost with the machine, and all its records with it. */
async function syncFolder(folder: string): Promise<void> {
  const descriptor = await openFile(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await syncFile(descriptor);
  } finally {
    await closeFile(descriptor);
  }
}

/** The system's code of an error, such as `ENOSPC`. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
