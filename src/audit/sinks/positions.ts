/**
 * How far a sink is, segment by segment, and the file that remembers it. Written whole or not at all;
 * where it is older than what was delivered, that is delivered again: every record at least once.
 */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { SallyportError } from "../../model/errors.ts";
import { readFileBytes } from "../../platform/files.ts";
import { writeFileAtomic } from "../../platform/write-file.ts";
import { codeOf } from "../files.ts";

const VERSION = 1;

const fileSchema = z.strictObject({
  /** Delivered to their end. */
  done: z.array(z.string()),
  /** Bytes delivered of the others. */
  offsets: z.record(z.string(), z.int().min(0)),
  v: z.literal(VERSION),
});

/** Permission bits of group and others. */
const OTHERS = 0o077;

export class Positions {
  readonly done: Set<string>;
  readonly #offsets: Map<string, number>;

  constructor(done: Iterable<string> = [], offsets: Iterable<[string, number]> = []) {
    this.done = new Set(done);
    this.#offsets = new Map(offsets);
  }

  of(segment: string): number {
    return this.#offsets.get(segment) ?? 0;
  }

  /** From here on it is told of when it is gone before it was delivered. */
  know(segment: string): void {
    if (!this.#offsets.has(segment) && !this.done.has(segment)) this.#offsets.set(segment, 0);
  }

  set(segment: string, offset: number): void {
    this.#offsets.set(segment, offset);
  }

  finish(segment: string): void {
    this.#offsets.delete(segment);
    this.done.add(segment);
  }

  /** Forgets segments that are not there any more; which of them were not known to be at their end. */
  keepOnly(names: ReadonlySet<string>): { readonly segment: string; readonly offset: number }[] {
    for (const name of this.done) if (!names.has(name)) this.done.delete(name);
    const lost = [...this.#offsets].filter(([name]) => !names.has(name));
    for (const [name] of lost) this.#offsets.delete(name);
    return lost.map(([segment, offset]) => ({ segment, offset }));
  }

  text(): string {
    const offsets = Object.fromEntries([...this.#offsets].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    return `${JSON.stringify({ done: [...this.done].toSorted(), offsets, v: VERSION })}\n`;
  }
}

/** Undefined where there is no file yet. Rejects with SallyportError `audit-failed` where it is not one of ours. */
export async function readPositions(path: string): Promise<Positions | undefined> {
  let text: string;
  try {
    const { mode } = await stat(path);
    if ((mode & OTHERS) !== 0) throw refused(path, "can be read by others; chmod it to 0600");
    text = readFileBytes(path).toString("utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    if (error instanceof SallyportError) throw error;
    throw refused(path, `cannot be read (${codeOf(error) ?? "unknown"})`, error);
  }
  try {
    const { done, offsets } = fileSchema.parse(JSON.parse(text));
    return new Positions(done, Object.entries(offsets));
  } catch (error) {
    const remedy = "remove it, and the sink begins anew, at `from`";
    throw refused(path, `is not a file of positions; ${remedy}`, error);
  }
}

/** Rejects with SallyportError `io-failed`. */
export async function writePositions(path: string, positions: Positions): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFileAtomic(path, positions.text(), { mode: 0o600 });
}

function refused(path: string, what: string, cause?: unknown): SallyportError {
  return new SallyportError("audit-failed", `audit: ${path} ${what}`, { cause });
}
