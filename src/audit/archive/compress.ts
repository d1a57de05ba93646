/**
 * Turns a segment that is over into a compressed file. At every step there is one whole file of it under
 * a name that readers know: the draft is on disk and was read back before it gets its name, and only then
 * the original goes.
 */
import { constants } from "node:fs";
import { open, readdir, rename, stat, unlink, utimes, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip, constants as zlib } from "node:zlib";
import { codeOf } from "../files.ts";
import { compressedName } from "../segment-names.ts";
import { openSource } from "../segment-source.ts";

const LIMITS = {
  /** Bytes that are read at once. */
  chunk: 1 << 18,
} as const;

const DRAFT = ".draft";

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
      await gzip(from, to);
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

async function gzip(from: FileHandle, to: FileHandle): Promise<void> {
  // The fastest level: JSON of records shrinks to an eighth with it, and to a tenth with one that costs four times as much.
  const zipped = createGzip({ level: zlib.Z_BEST_SPEED, chunkSize: LIMITS.chunk });
  await pipeline(chunksOf(from), zipped, async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) await writeWhole(to, chunk);
  });
}

async function* chunksOf(file: FileHandle): AsyncGenerator<Buffer> {
  for (let position = 0; ;) {
    const chunk = Buffer.allocUnsafe(LIMITS.chunk);
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
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
