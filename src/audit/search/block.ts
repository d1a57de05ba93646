/**
 * Records of one segment that lie behind each other, as columns: what one search reads at once. The
 * last block of a segment that is still written is not full, and is written anew with what came.
 */
import { at, decodeColumn, encodeColumn, type Column } from "./columns.ts";
import { COLUMNS, type ColumnName, type IndexEntry, TEXT_COLUMNS } from "./entry.ts";
import type { IndexFile } from "./index-file.ts";

const LIMITS = {
  /** Records of a block: a search looks at whole ones, and each costs it some ten microseconds. */
  records: 16_384,
  /** What four bytes of a column can hold. */
  column: 2 ** 32 - 1,
} as const;

/** Numbers of columns in the file: sixteen for each block, some of them kept for columns to come. */
const PER_BLOCK = 16;

export function columnKey(block: number, name: ColumnName): number {
  return block * PER_BLOCK + COLUMNS.indexOf(name);
}

export class Block {
  readonly #segment: number;
  /** 0: not in the file yet. */
  #number: number;
  readonly #start: number;
  #records = 0;
  readonly #times = new Float64Array(LIMITS.records);
  readonly #columns = new Map<ColumnName, Uint32Array>(
    COLUMNS.map((name) => [name, new Uint32Array(LIMITS.records)]),
  );
  #minMs = Infinity;
  #maxMs = -Infinity;

  constructor(segment: number, start: number, number = 0) {
    this.#segment = segment;
    this.#start = start;
    this.#number = number;
  }

  /** The last block of a segment, to be gone on with; undefined where there is none, or it is full. */
  static reopen(file: IndexFile, segment: number): Block | undefined {
    const [row] = file.rows(
      "SELECT number, start, records, min_ms FROM blocks WHERE segment = ? ORDER BY number DESC LIMIT 1",
      segment,
    );
    if (row === undefined) return undefined;
    const [number, start, records, minMs] = row as [number, number, number, number];
    if (records >= LIMITS.records) return undefined;
    const block = new Block(segment, start, number);
    block.#load(file, records, minMs);
    return block;
  }

  /** False where it has no room for the record. */
  add(file: IndexFile, offset: number, entry: IndexEntry): boolean {
    const { timeMs, kind, id, texts } = entry;
    const index = this.#records;
    const span = Math.max(this.#maxMs, timeMs) - Math.min(this.#minMs, timeMs);
    if (index === LIMITS.records || offset - this.#start > LIMITS.column || span > LIMITS.column) {
      return false;
    }
    this.#times[index] = timeMs;
    this.#set("offset", index, offset - this.#start);
    this.#set("kind", index, kind);
    this.#set("id", index, id);
    for (const name of TEXT_COLUMNS) {
      const text = texts[name];
      if (text !== undefined) this.#set(name, index, file.numberOf(name, text));
    }
    this.#minMs = Math.min(this.#minMs, timeMs);
    this.#maxMs = Math.max(this.#maxMs, timeMs);
    this.#records += 1;
    return true;
  }

  /** Within `file.write`. */
  save(file: IndexFile): void {
    if (this.#records === 0) return;
    const figures = [this.#records, this.#minMs, this.#maxMs] as const;
    if (this.#number === 0) {
      this.#number = file.run(
        "INSERT INTO blocks (segment, start, records, min_ms, max_ms) VALUES (?, ?, ?, ?, ?)",
        this.#segment,
        this.#start,
        ...figures,
      );
    } else {
      const text = "UPDATE blocks SET records = ?, min_ms = ?, max_ms = ? WHERE number = ?";
      file.run(text, ...figures, this.#number);
    }
    const times = this.#column("time");
    for (let index = 0; index < this.#records; index++) {
      times[index] = (this.#times[index] ?? 0) - this.#minMs;
    }
    for (const [name, values] of this.#columns) {
      const bytes = encodeColumn(values.subarray(0, this.#records));
      const text = "INSERT OR REPLACE INTO columns (number, bytes) VALUES (?, ?)";
      file.run(text, columnKey(this.#number, name), bytes);
    }
  }

  #load(file: IndexFile, records: number, minMs: number): void {
    for (const [name, values] of this.#columns) {
      const column = readColumn(file, this.#number, name, records);
      for (let index = 0; index < records; index++) values[index] = at(column, index);
    }
    for (const [index, behind] of this.#column("time").subarray(0, records).entries()) {
      const timeMs = minMs + behind;
      this.#times[index] = timeMs;
      this.#maxMs = Math.max(this.#maxMs, timeMs);
    }
    this.#minMs = minMs;
    this.#records = records;
  }

  #set(name: ColumnName, index: number, value: number): void {
    this.#column(name)[index] = value;
  }

  #column(name: ColumnName): Uint32Array {
    const values = this.#columns.get(name);
    if (values === undefined) throw new TypeError("a column that there is");
    return values;
  }
}

/** What is wrong with the index itself: it is built anew. */
export class IndexDamaged extends Error {
  override readonly name = "IndexDamaged";
}

/** Throws IndexDamaged where the file does not hold it. */
export function readColumn(
  file: IndexFile,
  block: number,
  name: ColumnName,
  records: number,
): Column {
  const [row] = file.rows("SELECT bytes FROM columns WHERE number = ?", columnKey(block, name));
  const column = row && decodeColumn(row[0] as Uint8Array, records);
  if (column === undefined) throw new IndexDamaged(`no column ${name} of block ${block}`);
  return column;
}

/** All that the index holds of a segment. Within `file.write`. */
export function dropBlocks(file: IndexFile, segment: number): void {
  for (const [number] of file.rows("SELECT number FROM blocks WHERE segment = ?", segment)) {
    const first = (number as number) * PER_BLOCK;
    file.run("DELETE FROM columns WHERE number >= ? AND number < ?", first, first + PER_BLOCK);
  }
  file.run("DELETE FROM blocks WHERE segment = ?", segment);
}
