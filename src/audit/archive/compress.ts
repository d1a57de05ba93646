/**
 * Turns a segment that is over into a compressed file. At every step there is one whole file of it under
 * a name that readers know: the draft is on disk and was read back before it gets its name, and only then
 * the original goes.
 */
import { constants } from "node:fs";
import { open, readdir, rename, stat, unlink, utimes, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../files.ts";
import { memberBytes, type MemberSizes, packEnd, packMember } from "../packed-segment.ts";
import { compressedName } from "../segment-names.ts";
import { openSource } from "../segment-source.ts";

const LIMITS = {
  /** Bytes that are compared at once. */
  chunk: 1 << 18,
} as const;

const DRAFT = ".draft";

const LINE_FEED = 0x0a;

export interface Compressed {
  readonly bytes: number;
  readonly compressedBytes: number;
}

/** Rejects with what the file system says, or an Error where what was written does not read back the same. */
export async function compressSegment(folder: string, segment: string): Promise<Compressed> {
  const path = join(folder, segment);
  const target = join(folder, compressedName(segment));
  const draft = `${target}${DRAFT}`;
  await removeFile(draft);
  const { O_RDONLY, O_NOFOLLOW, O_CREAT, O_EXCL, O_WRONLY } = constants;
  const from = await open(path, O_RDONLY | O_NOFOLLOW);
  try {
    const { size, mtime, atime } = await from.stat();
    const to = await open(draft, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
    try {
      await pack(from, to, size);
      // A umask can only take bits away; a default ACL could give some.
      await to.chmod(0o600);
      await to.sync();
    } finally {
      await to.close();
    }
    await compare(from, draft, size);
    // When its last record was written counts for `audit.keep`.
    await utimes(draft, atime, mtime);
    await rename(draft, target);
    await syncFolder(folder);
    await unlink(path);
    await syncFolder(folder);
    const { size: compressedBytes } = await stat(target);
    return { bytes: size, compressedBytes };
  } catch (error) {
    await removeFile(draft);
    throw error;
  } finally {
    await from.close();
  }
}

/** What a crash left half-made. */
export async function removeDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith("audit-") && name.endsWith(DRAFT)) await removeFile(join(folder, name));
  }
}

/** Brings the names of a folder to the disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function pack(from: FileHandle, to: FileHandle, size: number): Promise<void> {
  const members: MemberSizes[] = [];
  const block = Buffer.allocUnsafe(memberBytes(size));
  for (let position = 0; ;) {
    const { bytesRead } = await from.read(block, 0, block.length, position);
    if (bytesRead === 0) break;
    // Whole lines, so that a record is in one member. What has no end within a member is none.
    const lines = block.subarray(0, bytesRead);
    const bytes = lines.subarray(0, lines.lastIndexOf(LINE_FEED) + 1 || bytesRead);
    const member = await packMember(bytes);
    await writeWhole(to, member);
    members.push({ packed: member.length, plain: bytes.length });
    position += bytes.length;
  }
  await writeWhole(to, packEnd(members));
}

async function writeWhole(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, null);
    written += bytesWritten;
  }
}

/** Byte by byte what it was made from, and that has not grown meanwhile. */
async function compare(from: FileHandle, draft: string, size: number): Promise<void> {
  const source = await openSource(draft, { compressed: true, position: 0 });
  try {
    const [one, other] = [Buffer.allocUnsafe(LIMITS.chunk), Buffer.allocUnsafe(LIMITS.chunk)];
    for (;;) {
      const { position } = source;
      const [{ bytesRead }, filled] = [
        await from.read(one, 0, one.length, position),
        await source.fill(other),
      ];
      const same =
        bytesRead === filled && one.subarray(0, filled).equals(other.subarray(0, filled));
      if (!same || (filled === 0 && position !== size)) throw new Error("it does not read back");
      if (filled === 0) return;
      source.skip(filled);
    }
  } finally {
    await source.close();
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}
