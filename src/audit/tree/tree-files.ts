/**
 * The folder of the tree, beside the records: its files, and the few ways in which they are written. All
 * at once and not as promises: one thread writes them, and does nothing else meanwhile that could wait.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { SallyportError } from "../../model/errors.ts";
import { codeOf } from "../files.ts";

export const TREE_FOLDER = "tree";

/** Names in it. */
export const TREE_FILES = {
  /** One line a checkpoint. */
  checkpoints: "checkpoints.jsonl",
  /** What they say of each segment, up to one of them. */
  sealed: "sealed.json",
  /** One line a key that checkpoints are signed with. */
  keys: "keys.jsonl",
  /** The private key, and the public one as auditors are given it. */
  key: "checkpoint.key",
  publicKey: "checkpoint.pub",
  /** The private key that takes over at the next checkpoint. */
  nextKey: "checkpoint.next",
  /** Hashes of leaves, and of complete subtrees of 2^8 and 2^16 of them. */
  hashes: { 0: "hashes-0", 8: "hashes-8", 16: "hashes-16" },
} as const;

/** Permission bits of group and others. */
const OTHERS = 0o077;

/** Makes the folder where it is absent. Throws SallyportError `audit-failed`. */
export function openTreeFolder(auditFolder: string): string {
  const folder = join(auditFolder, TREE_FOLDER);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    refuseWideFolder(folder);
    syncFolder(auditFolder);
    return folder;
  } catch (error) {
    throw treeError(folder, "cannot be opened", error);
  }
}

/** As `openTreeFolder` refuses it. */
export function refuseWideFolder(folder: string): void {
  refuseWide(folder, "0700");
}

/** Undefined where there is none. Throws SallyportError `audit-failed`. */
export function readTreeFile(path: string): string | undefined {
  try {
    const file = openFound(path);
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, "utf8");
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    throw treeError(path, "cannot be read", error);
  }
}

/**
 * Opens a file for reading; undefined where there is none. What is there and is no file (a pipe, which
 * would be waited for, or a link) is refused: SallyportError `audit-failed`.
 */
export function openFound(path: string): number | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw treeError(path, "cannot be read", error);
  }
  if (fstatSync(file).isFile()) return file;
  closeSync(file);
  throw treeError(path, "is no file");
}

/** A file with a secret in it: one that others could read is refused. */
export function readSecretFile(path: string): string | undefined {
  const text = readTreeFile(path);
  if (text !== undefined) refuseWide(path, "0600");
  return text;
}

/** Writes it whole, or not at all where there is one: false. */
export function createWhole(path: string, text: string): boolean {
  return writeWhole(path, text, (draft) => {
    try {
      linkSync(draft, path);
      return true;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      throw error;
    } finally {
      unlinkSync(draft);
    }
  });
}

/** Writes it whole in the place of what is there. */
export function replaceWhole(path: string, text: string): void {
  writeWhole(path, text, (draft) => {
    renameSync(draft, path);
    return true;
  });
}

function writeWhole(path: string, text: string, place: (draft: string) => boolean): boolean {
  const draft = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = openSync(draft, "wx", 0o600);
    try {
      writeAll(file, Buffer.from(text), 0);
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
    const placed = place(draft);
    syncFolder(join(path, ".."));
    return placed;
  } catch (error) {
    discard(draft);
    throw treeError(path, "cannot be written", error);
  }
}

/** A full disk would be filled with one more by each try. */
function discard(draft: string): void {
  try {
    unlinkSync(draft);
  } catch {
    // It was not even made; what went wrong is told by who tried.
  }
}

/** Opens for reading and writing; made with mode 0600 where it is absent. */
export function openGrowing(path: string): number {
  try {
    const { O_CREAT, O_NOFOLLOW, O_RDWR } = constants;
    return openSync(path, O_CREAT | O_NOFOLLOW | O_RDWR, 0o600);
  } catch (error) {
    throw treeError(path, "cannot be opened", error);
  }
}

/** Writes all of it at `position`, however much the system takes at once. */
export function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length;) {
    at += writeSync(file, bytes, at, bytes.length - at, position + at);
  }
}

export function syncFolder(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Settles what is in a file on the disk, whoever wrote it. One that is gone has nothing to settle. */
export function syncFile(path: string): void {
  const descriptor = openFound(path);
  if (descriptor === undefined) return;
  try {
    fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Whether `path` still leads to the open file. */
export function isFileAt(path: string, file: number): boolean {
  const [there, here] = [lstatSync(path, { throwIfNoEntry: false }), fstatSync(file)];
  return there?.ino === here.ino && there.dev === here.dev;
}

function refuseWide(path: string, right: string): void {
  const { mode } = lstatSync(path);
  if ((mode & OTHERS) === 0) return;
  const found = (mode & 0o777).toString(8).padStart(4, "0");
  throw treeError(path, `has mode ${found}, so others could reach it; chmod it to ${right}`);
}

export function treeError(path: string, what: string, cause?: unknown): SallyportError {
  if (cause instanceof SallyportError) return cause;
  const code = cause === undefined ? "" : ` (${codeOf(cause) ?? "unknown"})`;
  return new SallyportError("audit-failed", `audit: ${path} ${what}${code}`, { cause });
}
