/**
 * The newest records that a filter asks for, found in the columns of the index. Blocks are looked at
 * from the latest on, and no more of them than can hold one of those that are wanted; of a block only
 * the columns that the filter names, and these only while something is left of it.
 */
import { at, type Column } from "./columns.ts";
import { readColumn } from "./block.ts";
import { type ColumnName, idHash, KINDS, type TextColumn } from "./entry.ts";
import { asksOnlyWhen, isAmong, type RecordFilter } from "./filter.ts";
import type { IndexFile } from "./index-file.ts";

/** Where a record stands, and in the order of records: by time, then segment, then place in it. */
export interface Place {
  readonly timeMs: number;
  readonly segment: string;
  readonly offset: number;
}

export interface RowQuery {
  readonly filter: RecordFilter;
  /** At most so many, the newest. */
  readonly limit: number;
  /** Only those before it. */
  readonly before?: Place | undefined;
  /** Completions too, where the filter says nothing but when. */
  readonly completions: boolean;
}

interface BlockRow {
  readonly number: number;
  readonly segment: string;
  readonly start: number;
  readonly records: number;
  readonly minMs: number;
  readonly maxMs: number;
}

/** Newest first. Ids are compared by 32 bits: who asks for one compares the records. */
export function findRows(file: IndexFile, query: RowQuery): readonly Place[] {
  const conditions = conditionsOf(file, query);
  // Something is asked for that no record has.
  if (conditions === undefined) return [];
  const newest = new Newest(query.limit);
  for (const block of blocksOf(file, query)) {
    if (block.maxMs < newest.leastMs) break;
    look(file, block, { query, conditions, newest });
  }
  return newest.sorted();
}

export function comparePlaces(a: Place, b: Place): number {
  if (a.timeMs !== b.timeMs) return a.timeMs - b.timeMs;
  if (a.segment !== b.segment) return a.segment < b.segment ? -1 : 1;
  return a.offset - b.offset;
}

/** Blocks that can hold a record of the time, the latest first. */
export function blocksOf(
  file: IndexFile,
  { filter, before }: Pick<RowQuery, "filter" | "before">,
): readonly BlockRow[] {
  const from = filter.fromMs ?? 0;
  const until = Math.min((filter.toMs ?? Infinity) - 1, before?.timeMs ?? Infinity);
  const text = `SELECT blocks.number, segments.name, start, records, min_ms, max_ms
    FROM blocks JOIN segments ON segments.number = blocks.segment
    WHERE max_ms >= ? AND min_ms <= ? ORDER BY max_ms DESC`;
  const most = Math.min(until, Number.MAX_SAFE_INTEGER);
  return file.rows(text, from, most).map((row) => {
    const [number, segment, start, records, minMs, maxMs] = row as [
      number,
      string,
      number,
      number,
      number,
      number,
    ];
    return { number, segment, start, records, minMs, maxMs };
  });
}

/** A record is asked for whose number in one of the columns is among these. */
interface Condition {
  readonly columns: readonly ColumnName[];
  readonly numbers: ReadonlySet<number>;
}

function conditionsOf(
  file: IndexFile,
  { filter, completions }: RowQuery,
): readonly Condition[] | undefined {
  const texts = (column: TextColumn, wanted: readonly string[]): Condition[] => {
    if (wanted.length === 0) return [];
    const numbers = wanted.map((text) => file.findText(column, text));
    return [{ columns: [column], numbers: new Set(numbers.filter((one) => one !== undefined)) }];
  };
  const conditions: Condition[] = [
    ...texts("principal", filter.principals),
    ...texts("reason", filter.reasons),
    ...texts("event", filter.events),
    ...texts("route", filter.routes),
    ...texts("service", filter.services),
    ...addressConditions(file, filter),
  ];
  if (filter.decision !== undefined) {
    const { permit, askedPermit, deny, askedDeny } = KINDS;
    const numbers = filter.decision === "permit" ? [permit, askedPermit] : [deny, askedDeny];
    conditions.push({ columns: ["kind"], numbers: new Set(numbers) });
  }
  if (filter.ids.length > 0) {
    // Events name decisions, and have no id of their own.
    const numbers = new Set(filter.ids.map(idHash));
    conditions.push({ columns: ["id"], numbers });
  }
  if (asksOnlyWhen(filter) && !completions && filter.ids.length === 0) {
    const numbers = Object.values(KINDS).filter((kind) => kind !== KINDS.completion);
    conditions.push({ columns: ["kind"], numbers: new Set(numbers) });
  }
  return conditions.some(({ numbers }) => numbers.size === 0) ? undefined : conditions;
}

/** Of networks, all addresses that records have are looked at; they are in the dictionary once each. */
function addressConditions(file: IndexFile, { addresses }: RecordFilter): readonly Condition[] {
  if (addresses.length === 0) return [];
  const text = "SELECT number, text FROM texts WHERE kind IN ('peer', 'address')";
  const numbers = file.rows(text).filter(([, one]) => isAmong(addresses, one as string));
  return [
    { columns: ["peer", "address"], numbers: new Set(numbers.map(([number]) => number as number)) },
  ];
}

/** Places in a block, ascending. */
type Rows = readonly number[];

interface Looking {
  readonly query: RowQuery;
  readonly conditions: readonly Condition[];
  readonly newest: Newest;
}

function look(file: IndexFile, block: BlockRow, { query, conditions, newest }: Looking): void {
  let left: Rows | undefined;
  for (const condition of conditions) {
    left = narrow(file, block, { condition, left });
    if (left?.length === 0) return;
  }
  const column = (name: ColumnName): Column => readColumn(file, block.number, name, block.records);
  const [times, offsets] = [column("time"), column("offset")];
  const { filter, before } = query;
  const fromMs = filter.fromMs ?? 0;
  const toMs = filter.toMs ?? Infinity;
  const count = left?.length ?? block.records;
  // From the last on: most are newer than those before, which then need not be kept.
  for (let index = count - 1; index >= 0; index--) {
    const row = left === undefined ? index : (left[index] ?? 0);
    const timeMs = block.minMs + at(times, row);
    if (timeMs < fromMs || timeMs >= toMs || timeMs < newest.leastMs) continue;
    const place = { timeMs, segment: block.segment, offset: block.start + at(offsets, row) };
    if (before === undefined || comparePlaces(place, before) < 0) newest.add(place);
  }
}

/** Of the rows that are left (undefined: all of them), those that one of the columns takes. */
function narrow(
  file: IndexFile,
  block: BlockRow,
  { condition, left }: { readonly condition: Condition; readonly left: Rows | undefined },
): Rows | undefined {
  let taken: Rows = [];
  for (const name of condition.columns) {
    const column = readColumn(file, block.number, name, block.records);
    if ("always" in column) {
      if (condition.numbers.has(column.always)) return left;
      continue;
    }
    const rows = rowsIn(column, condition.numbers, left);
    taken = taken.length === 0 ? rows : union(taken, rows);
  }
  return taken;
}

/** Plain loops, because this is where all the time of a search goes: some nanoseconds a row. */
function rowsIn(
  column: Exclude<Column, { readonly always: number }>,
  numbers: ReadonlySet<number>,
  left: Rows | undefined,
): Rows {
  const rows: number[] = [];
  const [only = 0] = numbers;
  if (left !== undefined) {
    for (const row of left) if (numbers.has(column[row] ?? 0)) rows.push(row);
  } else if (numbers.size === 1) {
    for (let row = column.indexOf(only); row >= 0; row = column.indexOf(only, row + 1)) {
      rows.push(row);
    }
  } else {
    for (let row = 0; row < column.length; row++) {
      if (numbers.has(column[row] as number)) rows.push(row);
    }
  }
  return rows;
}

function union(one: Rows, other: Rows): Rows {
  return other.length === 0 ? one : [...new Set([...one, ...other])].toSorted((a, b) => a - b);
}

/** The newest so many of all that are added. */
class Newest {
  readonly #limit: number;
  #places: Place[] = [];
  /** Nothing before it is wanted any more. */
  leastMs = -Infinity;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(place: Place): void {
    this.#places.push(place);
    // Sorted now and then, which costs less than keeping them in order.
    if (this.#places.length >= this.#limit * 2 + 1024) this.#cut();
  }

  sorted(): readonly Place[] {
    this.#cut();
    return this.#places;
  }

  #cut(): void {
    this.#places.sort((a, b) => comparePlaces(b, a));
    this.#places.length = Math.min(this.#places.length, this.#limit);
    if (this.#places.length === this.#limit)
      this.leastMs = this.#places.at(-1)?.timeMs ?? -Infinity;
  }
}
