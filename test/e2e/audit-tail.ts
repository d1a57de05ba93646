/**
 * The records of an audit log as it grows. Tests look again and again until something stands there:
 * what was read once is neither read nor parsed again.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import type { AuditRecord } from "./judge.ts";

interface Tail {
  /** Bytes until the end of the last whole line. */
  read: number;
  readonly records: AuditRecord[];
}

const NEWLINE = 0x0a;

export class AuditTail {
  readonly #folder: string;
  readonly #files = new Map<string, Tail>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Every whole line until now, file by file in the order of their names. */
  records(): AuditRecord[] {
    const names = readdirSync(this.#folder).filter((name) => name.endsWith(".jsonl"));
    return names.toSorted().flatMap((name) => {
      const tail = this.#files.get(name) ?? { read: 0, records: [] };
      this.#files.set(name, tail);
      readOn(join(this.#folder, name), tail);
      return tail.records;
    });
  }
}

function readOn(path: string, tail: Tail): void {
  const file = openSync(path, "r");
  try {
    const more = Buffer.alloc(Math.max(0, fstatSync(file).size - tail.read));
    const length = readSync(file, more, 0, more.length, tail.read);
    // The last line may still be on its way to the disk.
    const end = more.subarray(0, length).lastIndexOf(NEWLINE) + 1;
    for (const line of more.toString("utf8", 0, end).split("\n").slice(0, -1)) {
      tail.records.push(JSON.parse(line) as AuditRecord);
    }
    tail.read += end;
  } finally {
    closeSync(file);
  }
}
