/**
 * Makes the files of hashes anew: of the records, and of those that retention removed from the hashes that are
 * stored. They are made beside the ones that are there, read back, and take their places only where they
 * make the root of the last checkpoint; each file is the old one or the new one, never half of either.
 *
 * Whoever calls it has verified the log, and sees to it that nobody seals meanwhile.
 */
import { mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseCheckpointLine, type Part, rawLines } from "./checkpoint-lines.ts";
import { HashFiles } from "./hash-files.ts";
import { HASH_BYTES } from "./hashing.ts";
import { syncFolder, TREE_FILES, TREE_FOLDER, treeError } from "./tree-files.ts";
import { LogSegments } from "./verify/log-segments.ts";
import { StoredHashes } from "./verify/stored-hashes.ts";

const LIMITS = {
  /** Leaves that are written at once: 2 MiB of hashes. */
  written: 1 << 16,
  /** Stored hashes that are read at once. */
  stored: 1 << 12,
} as const;

const DRAFT = ".rehash-";

/** `root`: of the last checkpoint, of so many records. Rejects with SallyportError `audit-failed`; then all is as it was. */
export async function rehash(
  folder: string,
  { records, root }: { readonly records: number; readonly root: Buffer },
): Promise<void> {
  const tree = join(folder, TREE_FOLDER);
  for (const name of readdirSync(tree)) {
    // What a crash left.
    if (name.startsWith(DRAFT)) rmSync(join(tree, name), { recursive: true });
  }
  const draft = mkdtempSync(join(tree, DRAFT));
  try {
    const hashes = new HashFiles(draft);
    try {
      await writeHashes(folder, hashes, records);
      // As it stands on the disk.
      if (!hashes.frontier(records).root().equals(root)) throw changed(folder);
    } finally {
      hashes.close();
    }
    for (const name of Object.values(TREE_FILES.hashes)) {
      renameSync(join(draft, name), join(tree, name));
    }
    syncFolder(tree);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function writeHashes(folder: string, hashes: HashFiles, records: number): Promise<void> {
  const tree = join(folder, TREE_FOLDER);
  const [segments, stored] = [new LogSegments(folder), new StoredHashes(tree)];
  let frontier = hashes.frontier(0);
  let [waiting, count]: [Buffer[], number] = [[], 0];
  const write = (): void => {
    frontier = hashes.append(frontier, waiting);
    [waiting, count] = [[], 0];
  };
  try {
    for (const raw of rawLines(join(tree, TREE_FILES.checkpoints))) {
      if (raw.torn || frontier.size + count === records) break;
      for (const part of parseCheckpointLine(raw.text).parts) {
        for await (const leaves of leavesOf(part, {
          segments,
          stored,
          first: frontier.size + count,
        })) {
          waiting.push(leaves);
          count += leaves.length / HASH_BYTES;
          if (count >= LIMITS.written) write();
        }
      }
    }
    write();
    if (frontier.size !== records) throw changed(folder);
  } finally {
    segments.close();
    stored.close();
  }
}

interface Sources {
  readonly segments: LogSegments;
  readonly stored: StoredHashes;
  /** Where they are in the tree. */
  readonly first: number;
}

/** Hashes of the records of one part. */
async function* leavesOf(
  [name, records, bytes]: Part,
  { segments, stored, first }: Sources,
): AsyncGenerator<Buffer> {
  const { lines } = segments.get(name);
  lines?.allow(records, bytes);
  for (let done = 0; done < records;) {
    const left = records - done;
    const read =
      lines === undefined
        ? stored.read(first + done, Math.min(left, LIMITS.stored))
        : // The memory of lines serves again.
          copyOf(await lines.read(left));
    if (read === undefined) throw changed(segments.path(name));
    done += read.length / HASH_BYTES;
    yield read;
  }
  // What fails here fails again where it is read on.
  await lines?.settle().catch(() => undefined);
}

function copyOf(block: { readonly hashes: Buffer } | undefined): Buffer | undefined {
  return block && Buffer.from(block.hashes);
}

function changed(path: string): Error {
  return treeError(path, "was changed while it was read; the hashes are left as they are");
}
