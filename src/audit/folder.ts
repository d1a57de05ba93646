/**
 * Opens the folder of the audit log: makes it where it is absent, refuses it where others could
 * read or change it, finds the key of the value hashes, and reports what a crash left behind.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, lstat, mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../model/errors.ts";
import { codeOf } from "./files.ts";
import { isAlive, segmentsAmong } from "./segment-names.ts";
import { RECORD_LIMITS } from "./serialize.ts";
import { VALUE_KEY_BYTES } from "./value-hash.ts";

const KEY_FILE = "values.key";

const LIMITS = {
  /** Newest files that are looked at for a torn end: older ones were looked at by earlier starts. */
  inspected: 256,
} as const;

/** Permission bits of group and others. */
const OTHERS = 0o077;

/** A file whose last line has no end: its process died while it wrote. The line is no record. */
export interface TornFile {
  readonly file: string;
  /** Bytes of the torn line; -1 when it is longer than a record can be. */
  readonly bytes: number;
}

export interface AuditFolder {
  readonly path: string;
  /** Key of the value hashes; never leaves this machine. */
  readonly key: Uint8Array;
  readonly torn: readonly TornFile[];
}

/** Throws SallyportError `audit-failed`, with what would be right. */
export async function openAuditFolder(path: string): Promise<AuditFolder> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const figures = await stat(path);
    if (!figures.isDirectory()) throw refused(path, "is not a folder");
    refuseWide(path, figures.mode, "0700");
    return { path, key: await openKey(path), torn: await findTorn(path) };
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    throw refused(path, `cannot be opened (${codeOf(error) ?? "unknown"})`, error);
  }
}

/** Refuses what `openAuditFolder` does, and changes nothing. False where there is no folder yet. */
export async function inspectAuditFolder(path: string): Promise<boolean> {
  try {
    const figures = await stat(path);
    if (!figures.isDirectory()) throw refused(path, "is not a folder");
    refuseWide(path, figures.mode, "0700");
    await readValueKey(path);
    return true;
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    if (codeOf(error) === "ENOENT") return false;
    throw refused(path, `cannot be opened (${codeOf(error) ?? "unknown"})`, error);
  }
}

/** Key of the value hashes; undefined where there is none. Throws as `openAuditFolder` does. */
export async function readValueKey(folder: string): Promise<Uint8Array | undefined> {
  const path = join(folder, KEY_FILE);
  try {
    return await readKey(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error instanceof SallyportError ? error : refused(path, "cannot be read", error);
  }
}

async function openKey(folder: string): Promise<Uint8Array> {
  const path = join(folder, KEY_FILE);
  try {
    return await readKey(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
  // Written whole under another name and then linked, so that several workers that start at once
  // agree on one key and none reads half of it.
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const file = await open(draft, O_CREAT | O_EXCL | O_WRONLY, 0o600);
  try {
    await file.writeFile(randomBytes(VALUE_KEY_BYTES));
    await file.sync();
    await link(draft, path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  } finally {
    await file.close();
    await unlink(draft);
  }
  return await readKey(path);
}

async function readKey(path: string): Promise<Uint8Array> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  // Without NONBLOCK, opening a pipe waits for somebody who writes.
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const figures = await file.stat();
    if (!figures.isFile()) throw refused(path, "is not a file");
    refuseWide(path, figures.mode, "0600");
    if (figures.size !== VALUE_KEY_BYTES) {
      throw refused(path, `has ${figures.size} bytes; a key has ${VALUE_KEY_BYTES}`);
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}

async function findTorn(folder: string): Promise<TornFile[]> {
  const segments = segmentsAmong(await readdir(folder));
  const torn: TornFile[] = [];
  for (const { file, compressed, ...segment } of segments.slice(-LIMITS.inspected)) {
    // What is compressed was read to its end before.
    if (compressed || mayBeWriting(segment)) continue;
    const bytes = await tornBytes(join(folder, file));
    if (bytes !== 0) torn.push({ file, bytes });
  }
  return torn;
}

/** Whether the process that made the file may still be writing it: then its end says nothing. */
function mayBeWriting({
  pid,
  startMs,
}: {
  readonly pid: number;
  readonly startMs: number;
}): boolean {
  if (pid !== process.pid) return isAlive(pid);
  // In a container each start has the same process id; then the file's start tells them apart.
  return startMs >= Math.floor(Date.now() - process.uptime() * 1000);
}

/** Bytes behind the last line feed, looking back as far as a record can reach. */
async function tornBytes(path: string): Promise<number> {
  if (!(await lstat(path)).isFile()) return 0;
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = await file.stat();
    // A character of a record has at most three bytes in UTF-8 (four for two of them).
    const length = Math.min(size, RECORD_LIMITS.line * 3 + 1);
    const last = Buffer.alloc(1);
    if (size === 0) return 0;
    await file.read(last, 0, 1, size - 1);
    if (last[0] === 0x0a) return 0;
    const tail = Buffer.alloc(length);
    await file.read(tail, 0, length, size - length);
    const feed = tail.lastIndexOf(0x0a);
    if (feed === -1) return length === size ? size : -1;
    return length - feed - 1;
  } finally {
    await file.close();
  }
}

function refuseWide(path: string, mode: number, right: string): void {
  if ((mode & OTHERS) !== 0) {
    const found = (mode & 0o777).toString(8).padStart(4, "0");
    throw refused(path, `has mode ${found}, so others could reach it; chmod it to ${right}`);
  }
}

function refused(path: string, what: string, cause?: unknown): SallyportError {
  return new SallyportError("audit-failed", `audit: ${path} ${what}`, { cause });
}
