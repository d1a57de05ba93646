/**
 * Whether the records that were sealed last are still what was sealed: hashed again at the start, and held against
 * the hashes on disk, and those against the ones above them, which make the root that was signed. Older ones are
 * left to `sallyport audit verify`: a start must not take as long as the log is.
 */
import { closeSync, readSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../files.ts";
import { compressedName } from "../segment-names.ts";
import { NotAFile, openSource, type SegmentSource } from "../segment-source.ts";
import { parseCheckpointLine, type Part } from "./checkpoint-lines.ts";
import { type HashFiles, REMEDY } from "./hash-files.ts";
import { HASH_BYTES, leafHash } from "./hashing.ts";
import { openFound, TREE_FILES, treeError } from "./tree-files.ts";
import type { TreeState } from "./tree-state.ts";

const LIMITS = {
  /** Records: some 0.1 s to hash, and what is recorded in minutes. */
  records: 65_536,
  /** Bytes of them: those records at their usual size. */
  bytes: 32 << 20,
  /** Bytes at the end of `checkpoints.jsonl`: a thousand checkpoints and more. */
  checkpoints: 1 << 20,
} as const;

const LINE_FEED = 0x0a;

export interface RecentParts {
  /** Folder of the audit log, and of the tree. */
  readonly folder: string;
  readonly treeFolder: string;
  readonly state: Pick<TreeState, "end" | "sealed" | "size">;
  readonly hashes: HashFiles;
  /** For tests. */
  readonly most?: { readonly records: number; readonly bytes: number };
}

/** Rejects with SallyportError `audit-failed` that names file and record. Files that are gone are passed over. */
export async function checkRecent(parts: RecentParts): Promise<void> {
  const { state, hashes, folder } = parts;
  let { records, bytes }: { records: number; bytes: number } = parts.most ?? LIMITS;
  let leaf = state.size;
  const ends = new Map(state.sealed);
  for (const [segment, count, length] of newestParts(parts)) {
    if (records <= 0 || bytes <= 0) break;
    const end = ends.get(segment) ?? 0;
    const stretch = { segment, end, start: end - length, leaf: leaf - count, records: count };
    if (stretch.start < 0 || stretch.leaf < 0) throw contradicts(parts.treeFolder);
    await checkStretch(stretch, { folder, hashes, most: Math.min(bytes, length) });
    ends.set(segment, stretch.start);
    leaf = stretch.leaf;
    records -= count;
    bytes -= length;
  }
  hashes.checkFrom(leaf, state.size);
}

/** What the last checkpoints added, the newest first. */
function* newestParts({ treeFolder, state: { end } }: RecentParts): Generator<Part> {
  const file = openFound(join(treeFolder, TREE_FILES.checkpoints));
  if (file === undefined) return;
  const tail = Buffer.alloc(Math.min(end, LIMITS.checkpoints));
  try {
    readSync(file, tail, 0, tail.length, end - tail.length);
  } finally {
    closeSync(file);
  }
  const lines = tail.toString("utf8").split("\n").slice(0, -1);
  // The first one may have begun before it.
  for (const line of lines.slice(tail.length < end ? 1 : 0).toReversed()) {
    let added: readonly Part[];
    try {
      added = parseCheckpointLine(line).parts;
    } catch {
      throw contradicts(treeFolder);
    }
    yield* added.toReversed();
  }
}

/** Records of one file that follow each other. */
interface Stretch {
  readonly segment: string;
  /** Bytes of the file. */
  readonly start: number;
  readonly end: number;
  /** Of the first of them, in the tree. */
  readonly leaf: number;
  readonly records: number;
}

interface Checking {
  readonly folder: string;
  readonly hashes: HashFiles;
  /** Bytes at its end that are looked at. */
  readonly most: number;
}

async function checkStretch(
  { segment, start, end, leaf, records }: Stretch,
  { folder, hashes, most }: Checking,
): Promise<void> {
  const from = end - most;
  const bytes = await bytesOf(folder, segment, from, most);
  if (bytes === undefined) return;
  if (bytes.length < most) {
    throw treeError(
      join(folder, segment),
      `ends before byte ${end}, up to which it is sealed; ${ADVICE}`,
    );
  }
  const lines = linesOf(bytes, from === start);
  const whole = from === start ? lines.length === records : lines.length <= records;
  const first = leaf + records - lines.length;
  const stored = whole ? hashes.leaves(first, lines.length) : undefined;
  for (const [index, { at, text }] of lines.entries()) {
    const place = index * HASH_BYTES;
    const own = stored?.subarray(place, place + HASH_BYTES);
    if (own !== undefined && leafHash(text).equals(own)) continue;
    throw treeError(join(folder, segment), changed(text, from + at, first + index));
  }
}

/** Whole lines without their line feeds, and where each begins. */
function linesOf(bytes: Buffer, whole: boolean): { readonly at: number; readonly text: Buffer }[] {
  const lines: { readonly at: number; readonly text: Buffer }[] = [];
  // What begins before the bytes is not there as a whole.
  let at = whole ? 0 : bytes.indexOf(LINE_FEED) + 1;
  for (let feed = bytes.indexOf(LINE_FEED, at); feed >= 0; feed = bytes.indexOf(LINE_FEED, at)) {
    lines.push({ at, text: bytes.subarray(at, feed) });
    at = feed + 1;
  }
  return lines;
}

/** A record that differs from its stored hash may be the whole one of the two. */
const ADVICE =
  "`sallyport audit verify` says what was changed: the file (put it back from a copy, or begin a new folder) or only the stored hashes (`sallyport audit rehash`)";

const UNREADABLE =
  "cannot be read; put it back from a copy, `sallyport audit verify` says what else is wrong";

function changed(text: Buffer, byte: number, leaf: number): string {
  const [, id] = /"decisionId":"([0-9A-Z]{26})"/.exec(text.toString("latin1")) ?? [];
  const named = id === undefined ? "" : `, decision ${id}`;
  return `is not what was sealed at byte ${byte} (leaf ${leaf} of the tree${named}); ${ADVICE}`;
}

function contradicts(treeFolder: string): Error {
  const what = "names other records than there are; `sallyport audit verify` says which";
  return treeError(join(treeFolder, TREE_FILES.checkpoints), `${what}, or ${REMEDY}`);
}

/** Undefined where the file is gone. Fewer where it ends. */
async function bytesOf(
  folder: string,
  segment: string,
  position: number,
  length: number,
): Promise<Buffer | undefined> {
  const found = await openSegment(folder, segment, position);
  if (found === undefined) return undefined;
  const { source, path } = found;
  try {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, await source.fill(bytes));
  } catch (error) {
    throw treeError(path, UNREADABLE, error);
  } finally {
    await source.close();
  }
}

async function openSegment(
  folder: string,
  segment: string,
  position: number,
): Promise<{ readonly source: SegmentSource; readonly path: string } | undefined> {
  for (const compressed of [false, true]) {
    const path = join(folder, compressed ? compressedName(segment) : segment);
    try {
      return { source: await openSource(path, { compressed, position }), path };
    } catch (error) {
      if (error instanceof NotAFile || codeOf(error) === "ENOENT") continue;
      throw treeError(path, UNREADABLE, error);
    }
  }
  return undefined;
}
