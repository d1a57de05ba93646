/**
 * After all checkpoints: of each segment, what lies behind its sealed records, and, where it differs from
 * what was sealed, what was done to it.
 */
import { parseCheckpointLine, rawLines } from "../checkpoint-lines.ts";
import { HASH_BYTES } from "../hashing.ts";
import type { HashedLines } from "./hashed-lines.ts";
import type { LogSegments, OpenSegment } from "./log-segments.ts";
import type { Faults, VerifyReport } from "./report.ts";
import { diffSegment, hashTexts, type Leaf, type Line } from "./segment-diff.ts";
import type { StoredHashes } from "./stored-hashes.ts";

export interface TellParts {
  readonly segments: LogSegments;
  readonly stored: StoredHashes;
  /** `checkpoints.jsonl`. */
  readonly checkpoints: string;
  /** Leaves that were looked at. */
  readonly upTo: number;
  readonly faults: Faults;
  /** Milliseconds that files have to be kept; undefined: nobody says. */
  readonly keepMs: number | undefined;
}

type Told = Pick<VerifyReport, "removed" | "segments" | "torn" | "unsealed">;

const LIMITS = {
  /** Lines that are read at once. */
  block: 4096,
  /**
   * Milliseconds by which a file may be younger: it is as old as its last record, and that may have been sealed
   * later, by the next process where its own had died.
   */
  toleranceMs: 86_400_000,
} as const;

export async function tellSegments(parts: TellParts): Promise<Told> {
  const told = new Telling(parts);
  // Those that no checkpoint names are read too: their records may say what was removed.
  for (const name of parts.segments.names()) {
    if (!parts.segments.has(name)) parts.segments.get(name);
    if (parts.segments.isShadowed(name)) {
      const detail =
        "a link, or what else is no file, has the name of the file that was compressed";
      parts.faults.add({ kind: "unreadable", detail, segment: name });
    }
  }
  const all = parts.segments.all();
  for (const segment of all) if (segment.differsAt === undefined) await told.behind(segment);
  // Those that are there first: their records may say which others were removed.
  const differing = all.filter(({ differsAt }) => differsAt !== undefined);
  for (const segment of differing) if (segment.lines !== undefined) await told.differing(segment);
  for (const segment of differing) if (segment.lines === undefined) await told.differing(segment);
  return told.result();
}

class Telling {
  readonly #parts: TellParts;
  readonly #torn: { segment: string; bytes: number }[] = [];
  readonly #removed: { segment: string; records: number }[] = [];
  readonly #unsealed: string[] = [];
  #unsealedRecords = 0;
  #segments = 0;

  constructor(parts: TellParts) {
    this.#parts = parts;
  }

  result(): Told {
    return {
      segments: this.#segments,
      torn: this.#torn,
      removed: this.#removed,
      unsealed: { records: this.#unsealedRecords, segments: this.#unsealed },
    };
  }

  /** A segment whose sealed records are whole. */
  async behind(segment: OpenSegment): Promise<void> {
    const { lines, name } = segment;
    if (lines === undefined) {
      if (segment.records > 0) await this.differing(segment);
      return;
    }
    this.#segments += 1;
    let [records, bytes] = [0, 0];
    try {
      for (let block; (block = await lines.read(LIMITS.block)) !== undefined;) {
        records += block.count;
        bytes += block.bytes;
      }
    } catch (error) {
      this.#unreadable(segment, error);
      return;
    }
    this.#tail(segment, { records, bytes, tail: lines.tail });
    if (records > 0 && segment.ended !== undefined) {
      const detail = `${records} ${records === 1 ? "line" : "lines"}, ${bytes} bytes`;
      const place = { line: segment.records + 1, byte: segment.bytes };
      this.#parts.faults.add({ kind: "appended", detail, segment: name, ...place });
    }
  }

  /** A segment that is not as it was sealed: lines beside leaves, from its beginning. */
  async differing(segment: OpenSegment): Promise<void> {
    const { segments, faults } = this.#parts;
    const { name, records } = segment;
    const lines = segments.read(name);
    if (lines === undefined) {
      const removed = segments.removed();
      if (removed.has(name)) {
        this.#removed.push({ segment: name, records });
        this.#checkKept(segment, removed.get(name));
      } else {
        const detail = "the whole file, and no record says that it was removed";
        const leaf = segment.differsAt;
        faults.add({
          kind: "missing",
          detail,
          segment: name,
          records,
          ...(leaf === undefined ? {} : { leaf }),
        });
      }
      return;
    }
    this.#segments += 1;
    lines.allow(records, segment.bytes);
    try {
      const sides = { leaves: this.#leaves(name), lines: linesOf(lines) };
      const { faults: found, behind } = await diffSegment({ segment: name, ...sides });
      for (const fault of found) faults.add(fault);
      const [first] = behind;
      const bytes = first === undefined ? 0 : 1;
      this.#tail(segment, { records: behind.length, bytes, tail: lines.tail });
      if (first !== undefined && segment.ended !== undefined) {
        const { line, byte } = first;
        const detail = behind.length === 1 ? "1 line" : `${behind.length} lines`;
        faults.add({ kind: "appended", detail, segment: name, line, byte });
      }
      if (found.length === 0) this.#unsteady(segment);
    } catch (error) {
      this.#unreadable(segment, error);
    } finally {
      lines.close();
    }
  }

  /** That it was old enough when its removal was sealed. */
  #checkKept(
    { name, records, sealedMs, differsAt }: OpenSegment,
    removedMs: number | undefined,
  ): void {
    const { keepMs, faults } = this.#parts;
    if (keepMs === undefined) return;
    const known = sealedMs !== undefined && removedMs !== undefined && !Number.isNaN(removedMs);
    if (known && removedMs - sealedMs >= keepMs - LIMITS.toleranceMs) return;
    const detail = known
      ? `its last records were sealed at ${timeText(sealedMs)} and its removal at ${timeText(removedMs)}, ${daysText(removedMs - sealedMs)} later, and it is to be kept for ${daysText(keepMs)}`
      : "when its last records and its removal were sealed is not known";
    const leaf = differsAt === undefined ? {} : { leaf: differsAt };
    faults.add({ kind: "retention", detail, segment: name, records, ...leaf });
  }

  #unsteady({ name, differsAt }: OpenSegment): void {
    const detail = "it was not the same when it was read again";
    const leaf = differsAt === undefined ? {} : { leaf: differsAt };
    this.#parts.faults.add({ kind: "unreadable", detail, segment: name, ...leaf });
  }

  #tail(segment: OpenSegment, found: { records: number; bytes: number; tail: number }): void {
    const { name, ended } = segment;
    if (found.tail > 0) this.#torn.push({ segment: name, bytes: found.tail });
    if (ended === undefined) {
      if (found.records > 0) this.#unsealed.push(name);
      this.#unsealedRecords += found.records;
    } else if (found.tail !== ended.torn && found.records === 0) {
      const kind = found.tail > ended.torn ? "appended" : "truncated";
      const detail = `a last line without its end had ${ended.torn} bytes and has ${found.tail}`;
      this.#parts.faults.add({ kind, detail, segment: name, byte: segment.bytes });
    }
  }

  #unreadable({ name, differsAt }: OpenSegment, error: unknown): void {
    const detail = error instanceof Error ? error.message : "unknown";
    const leaf = differsAt === undefined ? {} : { leaf: differsAt };
    this.#parts.faults.add({ kind: "unreadable", detail, segment: name, ...leaf });
  }

  /** What was sealed of a segment, by the stored hashes. */
  async *#leaves(name: string): AsyncGenerator<readonly Leaf[]> {
    const { checkpoints, stored, upTo } = this.#parts;
    let leaf = 0;
    for (const raw of rawLines(checkpoints)) {
      if (raw.torn || leaf >= upTo) return;
      for (const [segment, records] of parseCheckpointLine(raw.text).parts) {
        const end = leaf + records;
        if (segment !== name) leaf = end;
        while (leaf < end) {
          const count = Math.min(LIMITS.block, end - leaf);
          const hashes = stored.read(leaf, count);
          if (hashes === undefined) return;
          const first = leaf;
          yield hashTexts(hashes).map((hash, index) => ({ leaf: first + index, hash }));
          leaf += count;
        }
      }
    }
    await Promise.resolve();
  }
}

async function* linesOf(lines: HashedLines): AsyncGenerator<readonly Line[]> {
  let [line, byte] = [1, 0];
  for (let block; (block = await lines.read(LIMITS.block)) !== undefined;) {
    const texts = hashTexts(block.hashes.subarray(0, block.count * HASH_BYTES));
    const found: Line[] = [];
    for (const [index, hash] of texts.entries()) {
      const [, decisionId] = /"decisionId":"([0-9A-Z]{26})"/.exec(block.text(index)) ?? [];
      found.push({ line, byte, hash, decisionId });
      line += 1;
      byte += block.length(index);
    }
    yield found;
  }
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

function daysText(ms: number): string {
  return `${Math.round(ms / 8_640_000) / 10} days`;
}
