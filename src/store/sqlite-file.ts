/**
 * The file of a SQLite store, made so that only its owner reads it. Refuses a file, or a write-ahead
 * log beside it, that others can reach, and a folder in which others can put files: whoever can place
 * `x.db-wal` there writes our state.
 */
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { SallyportError } from "../model/errors.ts";

/** Permission bits of group and others, and those of them that write. */
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;

/** What SQLite puts beside the file: the write-ahead log and its index. */
const BESIDE = ["-wal", "-shm", "-journal"] as const;

const NOT_THERE = "is not there; the first `sallyport run` makes it";

/** What stays as it is until somebody changes the path or the folder: nobody waits for that. */
const LASTING: ReadonlySet<string> = new Set([
  "ENOENT",
  "ENOTDIR",
  "EEXIST",
  "EISDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "EACCES",
  "EPERM",
  "EROFS",
]);

/** Which file it is, however often one is put under its name. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number;
}

/**
 * Makes folder and file where they are absent and it is told to. Throws SallyportError `store-failed`,
 * or `store-unavailable` for what can pass by itself, such as a full disk.
 */
export function prepareSqliteFile(
  path: string,
  { create }: { readonly create: boolean },
): FileIdentity {
  try {
    prepareFolder(path, { create });
    if (create) createFile(path);
    for (const beside of filesBeside(path)) refuseWide(beside);
    return refuseWide(path) ?? refuse(path, NOT_THERE);
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    if (!create && code === "ENOENT") refuse(path, NOT_THERE);
    const cannot = `store: ${path} cannot be opened (${code})`;
    if (!LASTING.has(code)) throw new SallyportError("store-unavailable", cannot, { cause: error });
    const message = `${cannot}: authority.store has to name a file in a folder that this user may write to`;
    throw new SallyportError("store-failed", message, { cause: error });
  }
}

/**
 * What `prepareSqliteFile` would refuse, without making anything. Throws SallyportError `store-failed`.
 * Says nothing of what this user may not look at: it may be another one who runs.
 */
export function lookAtSqliteFile(path: string): void {
  const folder = dirname(resolve(path));
  try {
    let nearest = folder;
    while (entryAt(nearest) === undefined && dirname(nearest) !== nearest) {
      nearest = dirname(nearest);
    }
    if (entryAt(nearest)?.isDirectory() === false) refuse(nearest, "is not a folder");
    if (nearest !== folder) return;
    refuseOpenFolder(folder);
    for (const file of [path, ...filesBeside(path)]) refuseWide(file);
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EPERM") throw error;
  }
}

/** Undefined: nothing is there. */
function entryAt(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** The folder that a file is in. Throws what the file system throws, or SallyportError. */
export function prepareFolder(path: string, { create }: { readonly create: boolean }): void {
  const folder = dirname(resolve(path));
  if (create) mkdirSync(folder, { recursive: true, mode: 0o700 });
  refuseOpenFolder(folder);
}

/** What SQLite keeps beside a file in use. */
export function filesBeside(path: string): string[] {
  return BESIDE.map((suffix) => `${path}${suffix}`);
}

/** Whether the file under this name is still that one. */
export function isSameFile(path: string, { device, inode }: FileIdentity): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.dev === device && found.ino === inode;
}

function createFile(path: string): void {
  const { O_CREAT, O_EXCL, O_RDWR } = constants;
  try {
    closeSync(openSync(path, O_CREAT | O_EXCL | O_RDWR, 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function refuseOpenFolder(folder: string): void {
  const { mode } = statSync(folder);
  if ((mode & OTHERS_WRITE) === 0) return;
  refuse(
    folder,
    `has mode ${octal(mode)}, so others could put files there; chmod it to 0700, or name a folder in it that is not there yet`,
  );
}

/**
 * Undefined: there is none. Looks at the name and opens nothing: closing any descriptor of a file
 * takes away all POSIX locks that this process has on it, those of SQLite's connections included
 * (https://sqlite.org/howtocorrupt.html, section 2.2).
 */
function refuseWide(path: string): FileIdentity | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile()) refuse(path, "is not a regular file");
  const { mode, dev, ino } = found;
  if ((mode & OTHERS) !== 0) {
    refuse(path, `has mode ${octal(mode)}, so others could reach it; chmod it to 0600`);
  }
  return { device: dev, inode: ino };
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

function refuse(path: string, what: string): never {
  throw new SallyportError("store-failed", `store: ${path} ${what}`);
}
