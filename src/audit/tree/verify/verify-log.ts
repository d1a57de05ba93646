/**
 * Verifies an audit log from its files and public keys: every record is hashed, the root is computed anew at
 * every checkpoint, every signature and the history of keys is checked. What is wrong is told with its place.
 *
 * Nothing beside the signatures is believed. Stored hashes say only where something differs, and stand in for
 * records that were removed or that differ, so that the root tells whether they are right.
 */
import { join } from "node:path";
import type { Checkpoint } from "../checkpoint.ts";
import { parseCheckpoint } from "../checkpoint.ts";
import {
  type CheckpointLine,
  type EndedSegment,
  parseCheckpointLine,
  type Part,
  rawLines,
} from "../checkpoint-lines.ts";
import { HASH_BYTES } from "../hashing.ts";
import { type NoteKey, parseNote } from "../note.ts";
import { TREE_FILES, TREE_FOLDER } from "../tree-files.ts";
import { GrowingTree } from "./growing-tree.ts";
import { checkKept, type KeptCheckpoint } from "./kept.ts";
import { LogSegments, type OpenSegment } from "./log-segments.ts";
import { Faults, type VerifyReport } from "./report.ts";
import { StoredHashes } from "./stored-hashes.ts";
import { Times } from "./times.ts";
import { Trust } from "./trust.ts";
import { tellSegments } from "./tell-segments.ts";
import { Cosignatures } from "./cosignatures.ts";

export interface VerifyOptions {
  /** Folder of the audit log. */
  readonly folder: string;
  /** Keys that are believed: one of them has to be a key of the log. */
  readonly keys: readonly NoteKey[];
  readonly kept?: readonly KeptCheckpoint[];
  readonly witnesses?: readonly NoteKey[];
  /** Milliseconds that a file has to be kept after its last record: files that were removed are held against it. */
  readonly keepMs?: number | undefined;
  /** Milliseconds since the epoch; left out: no time is told to be yet to come. */
  readonly nowMs?: number;
}

/** Rejects with SallyportError `audit-failed` where the folder cannot be read. */
export async function verifyLog(options: VerifyOptions): Promise<VerifyReport> {
  return await new Verification(options).run();
}

interface Last {
  readonly checkpoint: Checkpoint;
  readonly time: string;
}

class Verification {
  readonly #options: VerifyOptions;
  readonly #faults = new Faults();
  readonly #segments: LogSegments;
  readonly #stored: StoredHashes;
  readonly #trust: Trust;
  readonly #cosignatures: Cosignatures;
  readonly #times = new Times();
  readonly #resumed = { count: 0, told: [] as string[] };
  readonly #path: string;
  #tree: GrowingTree;
  #checkpoints = 0;
  #last: Last | undefined;
  /** Once a root is wrong, those behind it say nothing. */
  #rootFails = false;
  #tornCheckpoint = 0;
  /** Records under a checkpoint that a key which is believed has signed. */
  #trustedSize = 0;

  constructor(options: VerifyOptions) {
    const { folder, keys, kept = [], witnesses = [] } = options;
    const treeFolder = join(folder, TREE_FOLDER);
    this.#options = options;
    this.#path = join(treeFolder, TREE_FILES.checkpoints);
    this.#segments = new LogSegments(folder);
    this.#stored = new StoredHashes(treeFolder);
    this.#trust = new Trust(folder, keys, this.#faults);
    this.#cosignatures = new Cosignatures(treeFolder, witnesses);
    this.#tree = GrowingTree.at(kept.map(({ checkpoint }) => checkpoint.size));
  }

  async run(): Promise<VerifyReport> {
    try {
      await this.#checkAll();
      const kept = this.#checkKept();
      const records = this.#last?.checkpoint.size ?? 0;
      this.#cosignatures.tell(records, this.#faults);
      this.#checkTrusted();
      const told = await tellSegments({
        segments: this.#segments,
        stored: this.#stored,
        checkpoints: this.#path,
        upTo: this.#tree.size,
        faults: this.#faults,
        keepMs: this.#options.keepMs,
      });
      this.#tellTimes();
      if (this.#checkpoints === 0 && told.unsealed.records > 0) {
        // Or else taking `tree/` away would be enough to pass.
        this.#faults.add({ kind: "checkpoint", detail: "there is none: nothing is sealed" });
      }
      const witnesses = this.#cosignatures.findings();
      const seen = Math.max(
        0,
        ...witnesses.map(({ proven, size }) => (proven ? size : 0)),
        ...kept.map(({ holds, size }) => (holds ? size : 0)),
      );
      return {
        origin: this.#last?.checkpoint.origin ?? this.#trust.keys[0]?.key.name,
        records,
        root: this.#last?.checkpoint.root.toString("base64"),
        checkpoints: this.#checkpoints,
        time: this.#last?.time,
        faults: this.#faults.list(),
        faultCount: this.#faults.count,
        ...told,
        torn: [
          ...told.torn,
          ...(this.#tornCheckpoint > 0
            ? [{ segment: `${TREE_FOLDER}/${TREE_FILES.checkpoints}`, bytes: this.#tornCheckpoint }]
            : []),
        ],
        times: { count: this.#times.count, told: this.#times.told },
        resumed: this.#resumed,
        witnesses,
        kept,
        unwitnessed: Math.max(0, records - seen),
        keys: this.#options.keys.map(({ vkey }) => vkey),
      };
    } finally {
      this.#segments.close();
      this.#stored.close();
    }
  }

  async #checkAll(): Promise<void> {
    for (const raw of rawLines(this.#path)) {
      if (raw.torn) {
        this.#tornCheckpoint = Buffer.byteLength(raw.text);
        break;
      }
      let line: CheckpointLine;
      try {
        line = parseCheckpointLine(raw.text);
        const records = line.parts.reduce((sum, [, count]) => sum + count, this.#tree.size);
        if (records !== line.size)
          throw new SyntaxError(`its parts make ${records}, not ${line.size}`);
      } catch (error) {
        this.#broken(raw.number, `${messageOf(error)}; what follows was not looked at`);
        break;
      }
      await this.#checkLine(line, raw.number);
    }
  }

  async #checkLine(line: CheckpointLine, number: number): Promise<void> {
    const signed = this.#checkNote(line, number);
    const before = this.#tree.size;
    const newestMs = await this.#grow({ line, number }, signed);
    const ms = this.#times.check({ number, time: line.time, newestMs });
    this.#segments.sealed(
      line.parts.map(([segment]) => segment),
      { ms, size: line.size },
    );
    if (signed === undefined) return;
    const seenMs = this.#cosignatures.check(line.note, line.size);
    if (seenMs !== undefined) this.#times.cosigned(number, seenMs, ms);
    this.#last = { checkpoint: signed, time: line.time };
    this.#checkpoints += 1;
    if (this.#rootFails || this.#tree.root().equals(signed.root)) return;
    this.#rootFails = true;
    const files = line.parts.map(([segment]) => segment).join(", ");
    this.#faults.add({
      kind: "root",
      detail: `at checkpoint ${number}: among leaves ${before} to ${line.size - 1} of the tree (${files}), or it is another log; later roots were not compared`,
      leaf: before,
      records: line.size - before,
    });
  }

  #checkNote(line: CheckpointLine, number: number): Checkpoint | undefined {
    try {
      const note = parseNote(line.note);
      const checkpoint = parseCheckpoint(note.text);
      const { origin = checkpoint.origin } = this.#last?.checkpoint ?? {};
      if (checkpoint.size !== line.size)
        throw new SyntaxError(`it signs ${checkpoint.size} records`);
      if (checkpoint.origin !== origin) throw new SyntaxError(`it is of ${checkpoint.origin}`);
      const signed = this.#trust.signed(note, line.size);
      if (signed === "trusted") this.#trustedSize = line.size;
      if (signed === "not") {
        const detail = `checkpoint ${number} (${line.size} records)`;
        this.#faults.add({ kind: "signature", detail, leaf: line.size - 1 });
      }
      return checkpoint;
    } catch (error) {
      this.#broken(number, messageOf(error));
      return undefined;
    }
  }

  #broken(number: number, why: string): void {
    const detail = `line ${number} of ${TREE_FILES.checkpoints}: ${why}`;
    this.#faults.add({ kind: "checkpoint", detail, leaf: this.#tree.size });
  }

  /**
   * Adds the leaves of a checkpoint. Where a record is not what was stored there are two trees that may be
   * right: with what is stored (the record was changed), or with what is read (the stored hash was).
   * Resolves to the time of the newest record.
   */
  async #grow(
    { line, number }: { line: CheckpointLine; number: number },
    signed: Checkpoint | undefined,
  ): Promise<number | undefined> {
    const step = new Step(this.#tree, this.#stored, this.#times);
    for (const part of line.parts) {
      const segment = this.#segments.get(part[0]);
      if (part[1] > 0 && segment.ended !== undefined) {
        this.#resumes(`${part[0]} had ended, and checkpoint ${number} has more records of it`);
      }
      await step.add(segment, part);
      if (part[1] > 0) segment.lastLeaf = step.leaf - 1;
      segment.records += part[1];
      segment.bytes += part[2];
    }
    if (step.contradicted) this.#broken(number, "its records have another length than it says");
    for (const end of line.ended) this.#end(end, number);
    for (const { segment, leaf } of step.gone) segment.differsAt ??= leaf;
    const readIsRight = signed !== undefined && step.read?.root().equals(signed.root) === true;
    if (step.differing.length > 0 && readIsRight) {
      for (const { leaf } of step.differing) {
        this.#faults.add({
          kind: "hashes",
          detail: `${TREE_FILES.hashes[0]} at leaf ${leaf}`,
          leaf,
        });
      }
    } else {
      for (const { segment, leaf } of step.differing) segment.differsAt ??= leaf;
    }
    this.#tree = readIsRight ? (step.read as GrowingTree) : step.stored;
    return step.newestMs;
  }

  #end(end: EndedSegment, number: number): void {
    const segment = this.#segments.get(end.segment);
    if (end.bytes !== segment.bytes) {
      const said = `${end.segment} ended with ${end.bytes} bytes, and ${segment.bytes} are sealed of it`;
      this.#broken(number, said);
    }
    const before = segment.ended?.torn ?? end.torn;
    if (before !== end.torn && end.bytes === segment.ended?.bytes) {
      const ends = `with ${before} bytes of a torn line, and by checkpoint ${number} with ${end.torn}`;
      this.#resumes(`${end.segment} had ended ${ends}`);
    }
    segment.ended = end;
  }

  #resumes(what: string): void {
    this.#resumed.count += 1;
    if (this.#resumed.told.length < LIMITS.resumed) this.#resumed.told.push(what);
  }

  /** No key signs them; where they are relied on, what cannot be true is a fault. */
  #tellTimes(): void {
    this.#times.end(this.#options.nowMs ?? Infinity);
    if (this.#options.keepMs === undefined) return;
    for (const detail of this.#times.told) this.#faults.add({ kind: "time", detail });
  }

  /** What only earlier keys signed proves nothing to whoever was given a later one. */
  #checkTrusted(): void {
    const size = this.#last?.checkpoint.size ?? 0;
    if (this.#trustedSize >= size || this.#faults.count > 0) return;
    this.#faults.add({
      kind: "key",
      detail: `records ${this.#trustedSize} to ${size - 1} are under no checkpoint that a given key, or one after it, signed`,
      leaf: this.#trustedSize,
      records: size - this.#trustedSize,
    });
  }

  #checkKept() {
    return checkKept(this.#options.kept ?? [], {
      tree: this.#tree,
      trust: this.#trust,
      cosignatures: this.#cosignatures,
      faults: this.#faults,
    });
  }
}

interface Differing {
  readonly segment: OpenSegment;
  readonly leaf: number;
}

/** The leaves of one checkpoint: as they are read, and, from the first that differs on, as they are stored. */
class Step {
  /** Undefined where a file ends too soon. */
  read: GrowingTree | undefined;
  /** With the stored hashes where they differ; the same as `read` while they do not. */
  stored: GrowingTree;
  readonly differing: Differing[] = [];
  /** Where the records of files that are not there begin: of these both trees have what is stored. */
  readonly gone: Differing[] = [];
  /** Whether the checkpoint says other lengths than its records have. */
  contradicted = false;
  /** Of the last record of each file: milliseconds since the epoch. */
  newestMs: number | undefined;
  readonly #hashes: StoredHashes;
  readonly #times: Times;
  #leaf: number;

  constructor(tree: GrowingTree, hashes: StoredHashes, times: Times) {
    this.#times = times;
    this.read = tree.branch();
    this.stored = this.read;
    this.#hashes = hashes;
    this.#leaf = tree.size;
  }

  /** The next leaf. */
  get leaf(): number {
    return this.#leaf;
  }

  async add(segment: OpenSegment, [, records, bytes]: Part): Promise<void> {
    let [left, read] = [records, 0];
    segment.lines?.allow(records, bytes);
    const begin = this.differing.length;
    while (left > 0) {
      const block = await nextBlock(segment, left);
      if (block === undefined) {
        this.#onlyStored(segment, left);
        return;
      }
      this.#both(segment, block);
      left -= block.count;
      read += block.bytes;
      if (left === 0) this.#takeTime(segment.name, block.text(block.count - 1));
    }
    // All hashes are right and the bytes are not: the checkpoint says what is not so.
    const same = this.differing.length === begin;
    if (same && read !== bytes) this.contradicted = true;
    // What fails here is told when it is read on.
    await segment.lines?.settle().catch(() => undefined);
  }

  #both(segment: OpenSegment, { hashes, count }: { hashes: Buffer; count: number }): void {
    const stored = this.#hashes.read(this.#leaf, count);
    if (stored === undefined || stored.equals(hashes)) {
      this.read?.add(hashes);
      if (this.stored !== this.read) this.stored.add(stored ?? hashes);
    } else {
      this.#differs(segment, this.#leaf + firstDifference(stored, hashes));
      this.read?.add(hashes);
      this.stored.add(stored);
    }
    this.#leaf += count;
  }

  #takeTime(name: string, line: string): void {
    const time = timeOf(line);
    this.#times.named(name, time);
    if (time > (this.newestMs ?? 0)) this.newestMs = time;
  }

  /** There are no lines for these leaves: the file is gone, ends too soon, or is known to differ. */
  #onlyStored(segment: OpenSegment, count: number): void {
    if (segment.lines === undefined) this.gone.push({ segment, leaf: this.#leaf });
    else {
      if (segment.differsAt === undefined) this.#differs(segment, this.#leaf);
      if (this.stored === this.read) this.stored = this.read.branch();
      this.read = undefined;
    }
    for (let left = count; left > 0;) {
      const some = Math.min(left, LIMITS.block);
      const stored = this.#hashes.read(this.#leaf, some);
      if (stored === undefined) {
        // Nobody has the rest. One leaf stands for it, and no root will fit.
        this.stored.add(Buffer.alloc(HASH_BYTES));
        this.read = undefined;
        this.#leaf += left;
        return;
      }
      this.stored.add(stored);
      if (this.read !== this.stored) this.read?.add(stored);
      this.#leaf += some;
      left -= some;
    }
  }

  #differs(segment: OpenSegment, leaf: number): void {
    this.differing.push({ segment, leaf });
    if (this.stored === this.read) this.stored = this.read.branch();
  }
}

const LIMITS = {
  /** Files that had ended and went on, of which is told; the rest is counted. */
  resumed: 20,
  /** Stored hashes that are read at once. */
  block: 1 << 15,
} as const;

async function nextBlock(segment: OpenSegment, most: number) {
  if (segment.differsAt !== undefined) return undefined;
  try {
    return await segment.lines?.read(most);
  } catch {
    // Told when the segment is looked at more closely.
    return undefined;
  }
}

/** NaN where there is none. */
function timeOf(line: string): number {
  try {
    return Date.parse(String((JSON.parse(line) as { readonly time?: unknown } | null)?.time));
  } catch {
    return Number.NaN;
  }
}

function firstDifference(left: Buffer, right: Buffer): number {
  let byte = 0;
  while (left[byte] === right[byte]) byte += 1;
  return Math.floor(byte / HASH_BYTES);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown";
}
