/**
 * What witnesses have seen: their cosignatures, kept in `witnesses.jsonl`, held against the checkpoints. A
 * line by itself proves nothing; a cosignature of a key that was given does. One that holds for none of the
 * checkpoints was made over another log, or over more of this one than is left.
 */
import { join } from "node:path";
import {
  parseWitnessLine,
  type WitnessLine,
  WITNESSES_FILE,
} from "../../witness/witness-journal.ts";
import { rawLines } from "../checkpoint-lines.ts";
import { type Note, type NoteKey, parseNote, parseSignatures, verifyNote } from "../note.ts";
import type { Faults, WitnessFinding } from "./report.ts";

const LIMITS = {
  /** Newest lines of each witness that are checked: only the last one that holds counts. */
  checked: 1000,
} as const;

interface Proven {
  readonly size: number;
  readonly timeMs: number;
}

export class Cosignatures {
  readonly #keys: readonly NoteKey[];
  /** By key: newest lines of signatures, by size; those that hold are taken out. */
  readonly #lines = new Map<NoteKey, Map<number, readonly string[]>>();
  readonly #proven = new Map<NoteKey, Proven>();
  /** What is said of witnesses that no key was given of. */
  readonly #claimed = new Map<string, Pick<WitnessLine, "size" | "time" | "type">>();

  constructor(treeFolder: string, keys: readonly NoteKey[]) {
    this.#keys = keys;
    for (const key of keys) this.#lines.set(key, new Map());
    for (const { text, torn } of rawLines(join(treeFolder, WITNESSES_FILE))) {
      const line = torn ? undefined : parseWitnessLine(text);
      if (line !== undefined) this.#take(line);
    }
  }

  /** A checkpoint of the log. When a witness saw it first, milliseconds since the epoch, where one is known to have. */
  check(note: string, size: number): number | undefined {
    let firstMs: number | undefined;
    for (const key of this.#keys) {
      const lines = this.#lines.get(key);
      for (const line of lines?.get(size) ?? []) {
        const verified = cosigned(note, line, key);
        if (!verified) continue;
        lines?.delete(size);
        const { timeMs = 0 } = verified;
        this.#prove(key, { size, timeMs });
        firstMs = Math.min(firstMs ?? timeMs, timeMs);
      }
    }
    return firstMs;
  }

  /** A checkpoint that was kept elsewhere, that the log begins with: it may bear cosignatures itself. */
  checkNote(note: Note, size: number): void {
    for (const key of this.#keys) {
      const verified = verifyNote(note, key);
      if (verified) this.#prove(key, { size, timeMs: verified.timeMs ?? 0 });
    }
  }

  /** After all checkpoints; `records` are sealed. */
  tell(records: number, faults: Faults): void {
    for (const key of this.#keys) {
      const sizes = [...(this.#lines.get(key)?.keys() ?? [])];
      const beyond = sizes.filter((size) => size > records);
      const other = sizes.filter((size) => size <= records);
      if (beyond.length > 0) {
        const detail = `${key.name} cosigned ${Math.max(...beyond)} records, and ${records} are sealed here: the log was cut back, or is an older copy`;
        faults.add({ kind: "witness", detail });
      }
      if (other.length > 0) {
        const detail = `${key.name} cosigned ${Math.min(...other)} records, and no checkpoint here is the one that it signed`;
        faults.add({ kind: "witness", detail });
      }
      if (sizes.length === 0 && !this.#proven.has(key)) {
        const detail = `${key.name} has cosigned nothing of this log that is here`;
        faults.add({ kind: "witness", detail });
      }
    }
  }

  findings(): WitnessFinding[] {
    const proven = this.#keys.map((key): WitnessFinding => {
      const found = this.#proven.get(key);
      const time = found === undefined ? {} : { time: new Date(found.timeMs).toISOString() };
      return { name: key.name, size: found?.size ?? 0, ...time, proven: true };
    });
    const claimed = [...this.#claimed].map(([name, claim]): WitnessFinding => {
      return { name, ...claim, proven: false };
    });
    return [...proven, ...claimed];
  }

  #prove(key: NoteKey, proven: Proven): void {
    if (proven.size >= (this.#proven.get(key)?.size ?? 0)) this.#proven.set(key, proven);
  }

  #take({ name, size, time, type, cosignatures = [] }: WitnessLine): void {
    let known = false;
    for (const key of this.#keys) {
      const own = cosignatures.filter((text) => isOf(text, key));
      const lines = this.#lines.get(key);
      if (own.length === 0 || lines === undefined) continue;
      known = true;
      lines.delete(size);
      lines.set(size, own);
      const [oldest] = lines.keys();
      if (lines.size > LIMITS.checked && oldest !== undefined) lines.delete(oldest);
    }
    const before = this.#claimed.get(name)?.size ?? -1;
    if (!known && size > before) this.#claimed.set(name, { size, time, type });
  }
}

/** By the name and the id of the key, which says nothing of whether it holds. */
function isOf(line: string, key: NoteKey): boolean {
  try {
    return parseSignatures([line.trimEnd()]).some(({ name, id }) => {
      return name === key.name && id === key.id;
    });
  } catch {
    return false;
  }
}

function cosigned(note: string, line: string, key: NoteKey) {
  try {
    return verifyNote(parseNote(`${parseNote(note).text}\n${line.trimEnd()}\n`), key);
  } catch {
    return undefined;
  }
}
