/**
 * Where a segment differs from what was sealed of it: its lines are laid beside the hashes of its leaves, and
 * each difference is told as what was done. It holds a window of both, so a file may be of any size.
 */
import { HASH_BYTES } from "../hashing.ts";
import type { Fault } from "./report.ts";

const LIMITS = {
  /** Lines and leaves that are held to find where they agree again. */
  window: 16_384,
  /** Hashes that are kept to know a doubled line by: some 100 MB. */
  matched: 1_000_000,
  /** Differences that are told apart; beyond it they are paired as they come. */
  told: 100_000,
} as const;

export interface Leaf {
  readonly leaf: number;
  readonly hash: string;
}

export interface Line {
  /** From 1. */
  readonly line: number;
  readonly byte: number;
  readonly hash: string;
  readonly decisionId: string | undefined;
}

/** A place where both differ. */
interface Gap {
  readonly leaves: Leaf[];
  readonly lines: Line[];
  /** The leaf that stands behind it. */
  readonly next: number | undefined;
  /** The last line before what follows. */
  readonly lastLine: number;
  /** Whether the file ends with it. */
  readonly atEnd: boolean;
}

export interface SegmentSides {
  readonly segment: string;
  /** Leaves that were sealed of it, in order. */
  readonly leaves: AsyncIterator<readonly Leaf[]>;
  readonly lines: AsyncIterator<readonly Line[]>;
}

export interface Difference {
  readonly faults: readonly Fault[];
  /** Lines behind the last leaf: not sealed, or added. */
  readonly behind: readonly Line[];
}

export async function diffSegment({ segment, leaves, lines }: SegmentSides): Promise<Difference> {
  const [left, right] = [new Window(leaves), new Window(lines)];
  const gaps: Gap[] = [];
  /** Hashes that both have, to know a doubled line by. */
  const matched = new Set<string>();
  for (;;) {
    await left.fill();
    await right.fill();
    skipEqual(left, right, matched);
    if (left.isOver || right.isOver) break;
    if (left.length === 0 || right.length === 0) continue;
    const [some, others] = agreement(left, right);
    const gapLeaves = left.take(some);
    const gapLines = right.take(others);
    const [next, lastLine] = [left.head?.leaf, right.taken];
    gaps.push({ leaves: gapLeaves, lines: gapLines, next, lastLine, atEnd: false });
    if (gaps.length > LIMITS.told) break;
  }
  const missing = await left.rest();
  const lastLine = right.taken;
  if (missing.length > 0) {
    gaps.push({ leaves: missing, lines: [], next: undefined, lastLine, atEnd: true });
  }
  const behind = await right.rest();
  return { faults: told(segment, gaps, matched, behind), behind: unmatched(gaps, behind) };
}

/** Side by side while they are the same. */
function skipEqual(left: Window<Leaf>, right: Window<Line>, matched: Set<string>): void {
  const count = Math.min(left.length, right.length);
  let same = 0;
  while (same < count && left.at(same).hash === right.at(same).hash) {
    if (matched.size >= LIMITS.matched) matched.clear();
    matched.add(left.at(same).hash);
    same += 1;
  }
  left.take(same);
  right.take(same);
}

/** How many of each are to be left out so that they go on alike: as few as there are. */
function agreement(left: Window<Leaf>, right: Window<Line>): [number, number] {
  const places = new Map<string, number>();
  for (let index = left.length - 1; index >= 0; index--) places.set(left.at(index).hash, index);
  let best: [number, number] | undefined;
  for (let index = 0; index < right.length; index++) {
    if (best !== undefined && index >= best[0] + best[1]) break;
    const place = places.get(right.at(index).hash);
    if (place === undefined) continue;
    if (best === undefined || place + index < best[0] + best[1]) best = [place, index];
  }
  if (best !== undefined) return best;
  // Nothing in sight: all that is held is one difference, but what follows the last leaf is no part of it.
  const both = Math.min(left.length, right.length);
  return [right.isLast ? both : left.length, left.isLast ? both : right.length];
}

class Window<T extends Leaf | Line> {
  readonly #source: AsyncIterator<readonly T[]>;
  #held: T[] = [];
  #from = 0;
  #over = false;
  #taken = 0;

  constructor(source: AsyncIterator<readonly T[]>) {
    this.#source = source;
  }

  get length(): number {
    return this.#held.length - this.#from;
  }

  /** How many were taken. */
  get taken(): number {
    return this.#taken;
  }

  get head(): T | undefined {
    return this.#held[this.#from];
  }

  get isOver(): boolean {
    return this.#over && this.length === 0;
  }

  /** Whether nothing follows what is held. */
  get isLast(): boolean {
    return this.#over;
  }

  at(index: number): T {
    return this.#held[this.#from + index] as T;
  }

  take(count: number): T[] {
    const taken = this.#held.slice(this.#from, this.#from + count);
    this.#from += count;
    this.#taken += count;
    return taken;
  }

  async fill(): Promise<void> {
    if (this.length >= LIMITS.window / 2) return;
    this.#held = this.#held.slice(this.#from);
    this.#from = 0;
    while (!this.#over && this.#held.length < LIMITS.window) {
      const { value, done } = await this.#source.next();
      if (done === true) this.#over = true;
      else this.#held.push(...value);
    }
  }

  async rest(): Promise<T[]> {
    const rest = this.take(this.length);
    while (!this.#over && rest.length < LIMITS.told) {
      const { value, done } = await this.#source.next();
      if (done === true) this.#over = true;
      else rest.push(...value);
    }
    return rest;
  }
}

/** Lines behind the last leaf that are not leaves which are missing elsewhere. */
function unmatched(gaps: readonly Gap[], behind: readonly Line[]): Line[] {
  const moved = new Set(gaps.flatMap(({ leaves }) => leaves.map(({ hash }) => hash)));
  return behind.filter(({ hash }) => !moved.has(hash));
}

function told(
  segment: string,
  gaps: readonly Gap[],
  matched: ReadonlySet<string>,
  behind: readonly Line[],
): Fault[] {
  const faults: Fault[] = [];
  const lost = new Map(gaps.flatMap(({ leaves }) => leaves.map((leaf) => [leaf.hash, leaf.leaf])));
  const found = new Set<string>();
  const moved = ({ hash, ...line }: Line): void => {
    const leaf = lost.get(hash) as number;
    found.add(hash);
    faults.push({
      kind: "reordered",
      detail: `it was sealed as leaf ${leaf} of the tree`,
      segment,
      ...placeOf(line),
      leaf,
    });
  };
  for (const line of [...gaps.flatMap(({ lines }) => lines), ...behind]) {
    if (lost.has(line.hash) && !found.has(line.hash)) moved(line);
  }
  for (const gap of gaps) {
    const leaves = gap.leaves.filter(({ hash }) => !found.has(hash));
    const lines = gap.lines.filter(({ hash }) => !found.has(hash) || !lost.has(hash));
    const doubled = lines.filter(({ hash }) => matched.has(hash));
    const foreign = lines.filter(({ hash }) => !matched.has(hash));
    for (const line of doubled) {
      faults.push({
        kind: "doubled",
        detail: "the same record is there before or after it",
        segment,
        ...placeOf(line),
        ...leafAt(gap),
      });
    }
    const pairs = Math.min(leaves.length, foreign.length);
    for (let index = 0; index < pairs; index++) {
      const [leaf, line] = [leaves[index] as Leaf, foreign[index] as Line];
      faults.push({
        kind: "altered",
        detail: "its bytes are not those that were sealed",
        segment,
        ...placeOf(line),
        leaf: leaf.leaf,
      });
    }
    for (const line of foreign.slice(pairs)) {
      faults.push({
        kind: "added",
        detail: "it was never sealed",
        segment,
        ...placeOf(line),
        ...leafAt(gap),
      });
    }
    const [first, ...more] = leaves.slice(pairs);
    if (first === undefined) continue;
    const records = more.length + 1;
    const many = records === 1 ? "1 record" : `${records} records`;
    faults.push({
      kind: gap.atEnd ? "truncated" : "missing",
      detail: `${many} ${gap.atEnd ? `behind line ${gap.lastLine}` : betweenLines(gap)}`,
      segment,
      leaf: first.leaf,
      records,
    });
  }
  return faults;
}

function betweenLines({ lastLine }: Gap): string {
  return lastLine === 0 ? "before line 1" : `between line ${lastLine} and line ${lastLine + 1}`;
}

function placeOf({ line, byte, decisionId }: Omit<Line, "hash">) {
  return { line, byte, ...(decisionId === undefined ? {} : { decisionId }) };
}

function leafAt({ next }: Gap): { leaf?: number } {
  return next === undefined ? {} : { leaf: next };
}

/** The hash of each of them. */
export function hashTexts(hashes: Buffer): string[] {
  return Array.from({ length: hashes.length / HASH_BYTES }, (_, index) =>
    hashes.toString("latin1", index * HASH_BYTES, (index + 1) * HASH_BYTES),
  );
}
