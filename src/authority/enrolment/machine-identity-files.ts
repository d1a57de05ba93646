/**
 * The few file operations that an identity folder needs, each durable when it resolves. A port of its
 * own, so that a test can let any one of them fail and look at what is left.
 */
import { lstat, mkdir, open, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { readFileBytes } from "../../platform/files.ts";

export interface FileFigures {
  readonly kind: "file" | "folder" | "link" | "other";
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly modifiedMs: number;
}

/** Every verb rejects with what the file system rejects with. */
export interface IdentityFiles {
  /** Undefined where there is nothing. Does not follow a link. */
  figures(path: string): Promise<FileFigures | undefined>;
  read(path: string): Promise<string>;
  /** A new file of mode 0600; one that is there makes it reject. */
  write(path: string, text: string): Promise<void>;
  /** A folder of mode 0700; one that is there makes it reject. */
  makeFolder(path: string): Promise<void>;
  /** Makes folders above it as well, and takes one that is there. */
  ensureFolder(path: string): Promise<void>;
  link(target: string, path: string): Promise<void>;
  linkTarget(path: string): Promise<string>;
  rename(from: string, to: string): Promise<void>;
  /** With all that is in it; absent ones are no error. */
  remove(path: string): Promise<void>;
  list(folder: string): Promise<readonly string[]>;
  /** What was made, renamed or removed in it outlasts a power cut. */
  sync(folder: string): Promise<void>;
}

export const systemIdentityFiles: IdentityFiles = {
  async figures(path) {
    try {
      const stat = await lstat(path);
      const kind = stat.isFile()
        ? "file"
        : stat.isDirectory()
          ? "folder"
          : stat.isSymbolicLink()
            ? "link"
            : "other";
      return { kind, mode: stat.mode & 0o777, uid: stat.uid, modifiedMs: stat.mtimeMs };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  },
  read: async (path) => readFileBytes(path).toString("utf8"),
  async write(path, text) {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  async makeFolder(path) {
    await mkdir(path, { mode: 0o700 });
  },
  async ensureFolder(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  link: (target, path) => symlink(target, path),
  linkTarget: (path) => readlink(path),
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { recursive: true, force: true }),
  list: (folder) => readdir(folder),
  async sync(path) {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
};
