/**
 * What witnesses have seen: their cosignatures, kept in `witnesses.jsonl`, held against the checkpoints. A
 * line by itself proves nothing; a cosignature of a key that was given does.
 */
import { join } from "node:path";
import { parseWitnessLine, WITNESSES_FILE } from "../../witness/witness-journal.ts";
import { rawLines } from "../checkpoint-lines.ts";
import { type NoteKey, parseNote, verifyNote } from "../note.ts";
import type { WitnessFinding } from "./report.ts";

const LIMITS = {
  /** Newest lines of each witness that are checked: only the last one that holds counts. */
  checked: 1000,
} as const;

export class Cosignatures {
  readonly #keys: readonly NoteKey[];
  /** By key: newest lines of signatures, by size. */
  readonly #lines = new Map<NoteKey, Map<number, readonly string[]>>();
  readonly #proven = new Map<NoteKey, { size: number; timeMs: number }>();
  /** What is said of witnesses that no key was given of. */
  readonly #claimed = new Map<string, { size: number; time: string }>();

  constructor(treeFolder: string, keys: readonly NoteKey[]) {
    this.#keys = keys;
    for (const key of keys) this.#lines.set(key, new Map());
    for (const { text, torn } of rawLines(join(treeFolder, WITNESSES_FILE))) {
      const line = torn ? undefined : parseWitnessLine(text);
      if (line !== undefined) this.#take(line);
    }
  }

  /** A checkpoint of the log. */
  check(note: string, size: number): void {
    for (const key of this.#keys) {
      const lines = this.#lines.get(key)?.get(size) ?? [];
      for (const line of lines) {
        const verified = cosigned(note, line, key);
        if (verified) this.#proven.set(key, { size, timeMs: verified.timeMs ?? 0 });
      }
    }
  }

  findings(): WitnessFinding[] {
    const proven = this.#keys.map((key) => {
      const found = this.#proven.get(key);
      const time = found === undefined ? {} : { time: new Date(found.timeMs).toISOString() };
      return { name: key.name, size: found?.size ?? 0, ...time, proven: true };
    });
    const claimed = [...this.#claimed].map(([name, { size, time }]) => ({
      name,
      size,
      time,
      proven: false,
    }));
    return [...proven, ...claimed];
  }

  #take(line: {
    name: string;
    size: number;
    time: string;
    cosignatures?: readonly string[] | undefined;
  }): void {
    const { name, size, time, cosignatures = [] } = line;
    let known = false;
    for (const key of this.#keys) {
      const own = cosignatures.filter((text) => text.startsWith(`— ${key.name} `));
      const lines = this.#lines.get(key);
      if (own.length === 0 || lines === undefined) continue;
      known = true;
      lines.set(size, own);
      const [oldest] = lines.keys();
      if (lines.size > LIMITS.checked && oldest !== undefined) lines.delete(oldest);
    }
    const before = this.#claimed.get(name)?.size ?? -1;
    if (!known && size > before) this.#claimed.set(name, { size, time });
  }
}

function cosigned(note: string, line: string, key: NoteKey) {
  try {
    return verifyNote(parseNote(`${parseNote(note).text}\n${line.trimEnd()}\n`), key);
  } catch {
    return undefined;
  }
}
