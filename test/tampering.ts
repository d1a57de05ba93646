/** What somebody can do to the files of a log, and what a verification has to say of it. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseCheckpointLine, rawLines } from "../src/audit/tree/checkpoint-lines.ts";
import type { Fault } from "../src/audit/tree/verify/report.ts";

export type Random = (below: number) => number;

/** The same numbers for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below);
  };
}

/** Which leaf each line of a segment is. */
export function leavesOf(folder: string): ReadonlyMap<string, readonly number[]> {
  const leaves = new Map<string, number[]>();
  let next = 0;
  for (const { text } of rawLines(join(folder, "tree/checkpoints.jsonl"))) {
    for (const [segment, records] of parseCheckpointLine(text).parts) {
      const own = leaves.get(segment) ?? [];
      leaves.set(segment, own);
      for (let index = 0; index < records; index++) own.push(next++);
    }
  }
  return leaves;
}

/** One segment as lines, and which leaf each of them is. */
export interface Ground {
  readonly lines: readonly string[];
  readonly leaves: readonly number[];
  readonly random: Random;
}

export interface Tampering {
  readonly lines: readonly string[];
  /** Bytes that are cut off at the end. */
  readonly cut?: number;
  /** Whether a fault is the one that has to be told. */
  readonly expected: (fault: Fault) => boolean;
  /** Faults that it may make. */
  readonly most: number;
}

export const TAMPERINGS: Readonly<Record<string, (ground: Ground) => Tampering>> = {
  alter({ lines, leaves, random }) {
    const at = random(lines.length);
    const line = lines[at] ?? "";
    const place = random(line.length);
    // Another letter, never a line feed; the decision id stays readable where it is not hit itself.
    const letter = line[place] === "x" ? "y" : "x";
    const altered = `${line.slice(0, place)}${letter}${line.slice(place + 1)}`;
    const [, id] = /"decisionId":"([0-9A-Z]{26})"/.exec(altered) ?? [];
    return {
      lines: lines.with(at, altered),
      expected: ({ kind, line: told, byte, leaf, decisionId }) =>
        kind === "altered" &&
        told === at + 1 &&
        byte === byteOf(lines, at) &&
        leaf === leaves[at] &&
        decisionId === id,
      most: 1,
    };
  },
  drop({ lines, leaves, random }) {
    const count = 1 + random(5);
    // Not the last ones: that is cutting off.
    const at = random(lines.length - count);
    return {
      lines: lines.toSpliced(at, count),
      expected: ({ kind, leaf, records }) =>
        kind === "missing" && leaf === leaves[at] && records === count,
      most: 1,
    };
  },
  swap({ lines, leaves, random }) {
    const one = random(lines.length - 1);
    const other = one + 1 + random(lines.length - one - 1);
    const swapped = lines.with(one, lines[other] ?? "").with(other, lines[one] ?? "");
    return {
      lines: swapped,
      expected: ({ kind, leaf }) =>
        kind === "reordered" && (leaf === leaves[one] || leaf === leaves[other]),
      most: 2,
    };
  },
  double({ lines, random }) {
    const from = random(lines.length);
    // Between sealed lines: behind the last one it would only be not sealed.
    const to = random(lines.length);
    return {
      lines: lines.toSpliced(to, 0, lines[from] ?? ""),
      expected: ({ kind, line }) =>
        kind === "doubled" && (line === to + 1 || line === from + 1 || line === from + 2),
      most: 1,
    };
  },
  add({ lines, random }) {
    const at = random(lines.length);
    return {
      lines: lines.toSpliced(at, 0, `{"n":${random(1e9)}}`),
      expected: ({ kind, line, byte }) =>
        kind === "added" && line === at + 1 && byte === byteOf(lines, at),
      most: 1,
    };
  },
  truncate({ lines, leaves, random }) {
    const at = random(lines.length);
    const kept = lines.slice(0, at + 1);
    // Some of the last line that stays is gone too.
    const cut = 1 + random((lines[at] ?? "").length);
    return {
      lines: kept,
      cut,
      expected: ({ kind, leaf, records }) =>
        kind === "truncated" && leaf === leaves[at] && records === lines.length - at,
      most: 2,
    };
  },
};

/** Where a line begins. */
function byteOf(lines: readonly string[], at: number): number {
  return lines.slice(0, at).reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
}

/** Writes what came of it; returns what puts the file back. */
export function tamper(
  path: string,
  { lines, cut = 0 }: Pick<Tampering, "cut" | "lines">,
): () => void {
  const before = readFileSync(path);
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
  writeFileSync(path, bytes.subarray(0, bytes.length - cut));
  return () => writeFileSync(path, before);
}

export function linesOf(path: string): string[] {
  return readFileSync(path, "utf8").split("\n").slice(0, -1);
}

export function removeFile(path: string): () => void {
  const before = readFileSync(path);
  rmSync(path);
  return () => writeFileSync(path, before, { mode: 0o600 });
}
