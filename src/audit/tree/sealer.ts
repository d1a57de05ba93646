/**
 * Seals the log: takes the records as they are read back from the files, and at each `commit` makes one
 * signed checkpoint over all that was taken. Only what is on disk is sealed: the segments first, then
 * the hashes, then the checkpoint.
 *
 * After a crash the tree is what the last whole checkpoint says, and what comes then is taken again.
 * Refuses to start on files that contradict their last checkpoint, and to go on where somebody else has
 * written: two logs under one name prove nothing. (That one thread keeps a folder is seen to by who starts it.)
 */
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { EventLog } from "../../model/events.ts";
import type { Clock, Log, Metrics } from "../../model/ports.ts";
import type { RecordBatch, RecordConsumer, SegmentEnd } from "../../model/record-feed.ts";
import { segmentsAmong } from "../segment-names.ts";
import { checkpointText } from "./checkpoint.ts";
import { checkpointLine, type EndedSegment } from "./checkpoint-lines.ts";
import type { CheckpointOptions } from "./checkpoint-options.ts";
import type { Frontier } from "./frontier.ts";
import { HashFiles } from "./hash-files.ts";
import { refuseOther } from "./last-checkpoint.ts";
import { signNote } from "./note.ts";
import { consistencyProof } from "./proofs.ts";
import { checkRecent } from "./recent-records.ts";
import { registerTreeFigures, type TreeFigures } from "./tree-figures.ts";
import {
  isFileAt,
  openGrowing,
  openTreeFolder,
  syncFile,
  syncFolder,
  TREE_FILES,
  treeError,
  writeAll,
} from "./tree-files.ts";
import { TreeKey } from "./tree-key.ts";
import { Snapshots } from "./sealed-snapshot.ts";
import { readTreeState, type TreeState } from "./tree-state.ts";
import { Unsealed } from "./unsealed.ts";

const LIMITS = {
  /**
   * Leaves that wait for a checkpoint (32 bytes each): beyond it one is made at once, whatever the
   * interval. More than 10 s at 25 000 records a second.
   */
  waiting: 1 << 18,
} as const;

export interface SealerOptions extends Omit<CheckpointOptions, "witnesses"> {
  /** Folder of the audit log. */
  readonly path: string;
}

/** A checkpoint that is on disk. */
export interface SealedCheckpoint {
  /** The signed note. */
  readonly note: string;
  readonly size: number;
  readonly root: Buffer;
  readonly timeMs: number;
}

export interface SealerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventLog;
  /** Told of each new checkpoint, and at the start of the last one there is. Must not throw. */
  readonly onCheckpoint?: (checkpoint: SealedCheckpoint) => void;
  /** Leaves that may wait; for tests. */
  readonly maxWaiting?: number;
}

export interface Sealer extends RecordConsumer {
  /** Makes a checkpoint over what was taken, if there is anything. Throws where it cannot; the next one tries again. */
  commit(): void;
  close(): void;
  /** The last checkpoint. */
  readonly last: SealedCheckpoint | undefined;
  /** Proves that the checkpoint of size `to` begins with that of size `from`. Throws RangeError beyond the last checkpoint. */
  consistency(from: number, to: number): Buffer[];
}

/** Opens the tree of a log. Rejects with SallyportError `audit-failed` or `key-invalid`. */
export async function createSealer(options: SealerOptions, deps: SealerDeps): Promise<Sealer> {
  const sealer = new FileSealer(openTreeFolder(options.path), { options, deps });
  try {
    await sealer.checkRecords();
    return sealer;
  } catch (error) {
    sealer.abandon();
    throw error;
  }
}

interface Parts {
  readonly options: SealerOptions;
  readonly deps: SealerDeps;
}

class FileSealer implements Sealer {
  readonly name = "tree";
  readonly #folder: string;
  readonly #parts: Parts;
  readonly #state: TreeState;
  readonly #key: TreeKey;
  readonly #hashes: HashFiles;
  readonly #file: number;
  readonly #figures: TreeFigures;
  readonly #snapshots: Snapshots;
  readonly #unsealed = new Unsealed();
  /** Segments that ended since the last checkpoint. */
  readonly #ended = new Map<string, EndedSegment>();
  #frontier: Frontier;
  #last: SealedCheckpoint | undefined;
  /** Bytes of `checkpoints.jsonl`. */
  #end: number;
  /** Whether a write that failed may have left something behind them. */
  #half = false;

  constructor(folder: string, parts: Parts) {
    const { clock, metrics } = parts.deps;
    this.#folder = folder;
    this.#parts = parts;
    this.#state = readTreeState(folder);
    const { size, last, end } = this.#state;
    const time = new Date(clock.now()).toISOString();
    this.#key = new TreeKey(folder, parts.options, { size: last && size, time });
    this.#hashes = new HashFiles(folder);
    this.#file = openGrowing(join(folder, TREE_FILES.checkpoints));
    this.#end = end;
    syncFolder(folder);
    this.#frontier = this.#checked();
    this.#snapshots = Snapshots.begin(folder, this.#state, parts.deps.log);
    if (last !== undefined) {
      const { root, timeMs } = last;
      this.#last = { note: last.signed, size, root, timeMs };
      parts.deps.onCheckpoint?.(this.#last);
    } else this.#tellBegun();
    const startMs = clock.now();
    this.#figures = registerTreeFigures(metrics, {
      size: () => this.#frontier.size,
      unsealed: () => this.#unsealed.records,
      ageSeconds: () => (clock.now() - (this.#last?.timeMs ?? startMs)) / 1000,
    });
  }

  /** Rejects where what was sealed last is not what lies there. */
  async checkRecords(): Promise<void> {
    const { path: folder } = this.#parts.options;
    const [treeFolder, state, hashes] = [this.#folder, this.#state, this.#hashes];
    await checkRecent({ folder, treeFolder, state, hashes });
  }

  /** Closes without a word. */
  abandon(): void {
    this.#hashes.close();
    closeSync(this.#file);
  }

  get last(): SealedCheckpoint | undefined {
    return this.#last;
  }

  position(segment: string): number {
    return (this.#state.sealed.get(segment) ?? 0) + this.#unsealed.bytes(segment);
  }

  /** Throws where what comes is not what follows, or nothing more can wait: then it is not taken. */
  take(batch: RecordBatch): void {
    const { segment, offset, bytes, count } = batch;
    if (offset !== this.position(segment)) {
      throw treeError(
        segment,
        `came at byte ${offset}, and is known up to ${this.position(segment)}`,
      );
    }
    const most = this.#parts.deps.maxWaiting ?? LIMITS.waiting;
    if (this.#unsealed.records > 0 && this.#unsealed.records + count > most) this.#seal();
    this.#unsealed.take(segment, bytes, count);
  }

  ended({ segment, bytes, tornBytes }: SegmentEnd): void {
    if (this.#state.ended.get(segment) === tornBytes) return;
    this.#ended.set(segment, { bytes, segment, torn: tornBytes });
  }

  commit(): void {
    const { clock } = this.#parts.deps;
    try {
      const time = new Date(clock.now()).toISOString();
      const changing = this.#key.prepareChange(this.#frontier.size, time);
      const idle = this.#unsealed.records === 0 && this.#ended.size === 0;
      if (!idle || (changing && this.#last !== undefined)) this.#seal();
    } catch (error) {
      this.#figures.failures.inc();
      throw error;
    }
  }

  close(): void {
    try {
      this.commit();
    } finally {
      this.#snapshots.write();
      this.abandon();
    }
  }

  consistency(from: number, to: number): Buffer[] {
    if (to > this.#frontier.size) throw new RangeError("no such checkpoint");
    return consistencyProof(from, to, (level, index) => this.#hashes.node(level, index));
  }

  /**
   * Whoever takes `tree/` away has what is left sealed anew, by a key that lies elsewhere too. So the new
   * tree says of itself that it is not the first thing there was.
   */
  #tellBegun(): void {
    const { options, deps } = this.#parts;
    const startedMs = Date.now() - process.uptime() * 1000;
    const earlier = segmentsAmong(readdirSync(options.path)).filter(
      ({ file, startMs }) => startMs < startedMs && statSync(join(options.path, file)).size > 0,
    );
    if (earlier.length === 0) return;
    const detail = `the tree begins here, and ${earlier.length} files of the log were there before it`;
    deps.log.warn("audit: the tree begins beside records that were there before it", {
      files: earlier.length,
    });
    deps.events.event({
      timeMs: deps.clock.now(),
      event: "tree-begun",
      detail,
      figures: { files: earlier.length, first: earlier[0]?.segment ?? "" },
    });
  }

  /** The tree as the hash files have it, which has to be that of the last checkpoint. */
  #checked(): Frontier {
    const { size, last } = this.#state;
    const frontier = this.#hashes.frontier(size);
    if (last === undefined) {
      this.#hashes.cut(0);
      return frontier;
    }
    refuseOther(this.#folder, last, { signers: this.#key.signers, frontier });
    this.#hashes.cut(size);
    return frontier;
  }

  /** The segments, the hashes, the checkpoint: each on disk before the next. */
  #seal(): void {
    const { clock, log, events, onCheckpoint } = this.#parts.deps;
    const parts = this.#unsealed.parts();
    this.#tellResumed(parts.map(({ segment }) => segment));
    for (const { segment } of parts) syncFile(join(this.#parts.options.path, segment));
    const grown = this.#hashes.append(
      this.#frontier,
      parts.map(({ hashes }) => hashes),
    );
    const { size } = grown;
    const root = grown.root();
    const timeMs = clock.now();
    const text = checkpointText({ origin: this.#key.origin, size, root });
    const note = signNote(text, this.#key.signers);
    const line = checkpointLine({
      ended: [...this.#ended.values()],
      note,
      parts: parts.map(({ segment, records, bytes }) => [segment, records, bytes]),
      size,
      time: new Date(timeMs).toISOString(),
    });
    this.#write(Buffer.from(`${line}\n`));
    this.#frontier = grown;
    this.#adopt(parts);
    this.#snapshots.sealed({ end: this.#end, line, size });
    this.#last = { note, size, root, timeMs };
    const next = this.#key.completeChange();
    if (next !== undefined) {
      log.info("audit: checkpoints are signed with another key from here on", { vkey: next });
      const detail = `the next checkpoints are signed with ${next}`;
      events.event({ timeMs, event: "key-rotated", detail, figures: { size, vkey: next } });
    }
    onCheckpoint?.(this.#last);
  }

  /** It is sealed all the same: what lies in the folder is what there is. `audit verify` warns of it from then on. */
  #tellResumed(segments: readonly string[]): void {
    for (const file of segments) {
      if (!this.#state.ended.has(file)) continue;
      const event =
        "audit: a file of the log that had ended goes on; its process did not write that";
      this.#parts.deps.log.warn(event, { file });
    }
  }

  #write(line: Buffer): void {
    const path = join(this.#folder, TREE_FILES.checkpoints);
    if (this.#half) ftruncateSync(this.#file, this.#end);
    if (fstatSync(this.#file).size !== this.#end || !isFileAt(path, this.#file)) {
      throw treeError(path, "was changed by somebody else; end that one, then start this one anew");
    }
    this.#half = true;
    writeAll(this.#file, line, this.#end);
    fdatasyncSync(this.#file);
    this.#half = false;
    this.#end += line.length;
  }

  #adopt(parts: readonly { segment: string; bytes: number }[]): void {
    const { sealed, ended } = this.#state;
    for (const { segment, bytes } of parts) sealed.set(segment, (sealed.get(segment) ?? 0) + bytes);
    for (const { segment, torn } of this.#ended.values()) ended.set(segment, torn);
    this.#unsealed.clear();
    this.#ended.clear();
  }
}
