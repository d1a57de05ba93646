/**
 * Searches a log by its index: catches up, finds where the records stand, reads them from their
 * segments and holds each against the filter. An index that is not of these segments after all is built
 * anew, once.
 */
import { IndexDamaged } from "./block.ts";
import { type BuildDeps, type Built, bringUpToDate } from "./build-index.ts";
import { parseRecordLine } from "../record-line.ts";
import { entryOf } from "./entry.ts";
import { createMatcher, EVERYTHING, type RecordFilter } from "./filter.ts";
import { comparePlaces, findRows, type Place } from "./find-rows.ts";
import { IndexFile, isDamage } from "./index-file.ts";
import { listSegments, readLinesAt } from "./segment-reader.ts";
import type { RecordLine } from "../../model/record-feed.ts";
import { ConfigError, SallyportError } from "../../model/errors.ts";

export interface SearchQuery {
  readonly filter: RecordFilter;
  readonly limit: number;
  /** A place, or the id of a decision: only what is older. */
  readonly before?: Place | string | undefined;
}

export interface FoundRecord extends Place {
  /** As it stands in the segment. */
  readonly line: string;
  readonly record: RecordLine;
}

export interface SearchDeps extends BuildDeps {
  /** Something that the person who searches should know. */
  readonly said: (what: string) => void;
}

export interface SearchResult {
  /** Newest first. */
  readonly records: readonly FoundRecord[];
  /** Whether there are older ones. */
  readonly more: boolean;
  /** What was read of the log before it was searched. */
  readonly built: Built;
}

/** Throws SallyportError `audit-failed`, and for a `before` that is not in the log. */
export async function searchLog(
  folder: string,
  query: SearchQuery,
  deps: SearchDeps,
): Promise<SearchResult> {
  return withIndex(folder, deps, (file, built) => searchIndex(folder, file, { query, built }));
}

/** Runs with an index that is up to date; once more with a new one, where it proves to be damaged. */
export async function withIndex<T>(
  folder: string,
  deps: SearchDeps,
  run: (file: IndexFile, built: Built) => Promise<T> | T,
): Promise<T> {
  try {
    return await once(folder, deps, run);
  } catch (error) {
    if (!isDamage(error) && !(error instanceof IndexDamaged)) throw error;
    deps.said("the index is damaged; it is built anew");
    IndexFile.remove(folder);
    return await once(folder, deps, run);
  }
}

async function once<T>(
  folder: string,
  deps: SearchDeps,
  run: (file: IndexFile, built: Built) => Promise<T> | T,
): Promise<T> {
  // Before anything is made there: a mistyped folder stays absent.
  if ((await listSegments(folder)).length === 0) {
    throw new SallyportError("audit-failed", `audit: ${folder} holds no audit-*.jsonl`);
  }
  const file = IndexFile.open(folder, deps.said);
  try {
    return await run(file, await bringUpToDate(folder, file, deps));
  } finally {
    file.close();
  }
}

interface Searching {
  readonly query: SearchQuery;
  readonly built: Built;
}

async function searchIndex(
  folder: string,
  file: IndexFile,
  { query, built }: Searching,
): Promise<SearchResult> {
  const { filter, limit } = query;
  const before =
    typeof query.before === "string" ? await placeOf(folder, file, query.before) : query.before;
  // One more says whether there are more. Of ids all, for some are others' with the same bits.
  const wanted = filter.ids.length > 0 ? Infinity : limit + 1;
  const places = file.read(() =>
    findRows(file, { filter, limit: wanted, before, completions: false }),
  );
  const records = await recordsAt(folder, places, filter);
  return { records: records.slice(0, limit), more: records.length > limit, built };
}

/**
 * Reads the records; in the order of `places`. A record that is not what the index says is damage of
 * the index, but for ids, of which it has 32 bits.
 */
async function recordsAt(
  folder: string,
  places: readonly Place[],
  filter: RecordFilter,
): Promise<readonly FoundRecord[]> {
  const matches = createMatcher(filter);
  const found: FoundRecord[] = [];
  for (const [name, some] of Map.groupBy(places, ({ segment }) => segment)) {
    const sorted = some.toSorted((a, b) => a.offset - b.offset);
    const lines = await linesOf(folder, name, sorted);
    // Taken away since.
    if (lines === undefined) continue;
    for (const [index, place] of sorted.entries()) {
      const line = lines[index] ?? "";
      const record = parsed(line, place);
      if (record !== undefined && matches(record)) found.push({ ...place, line, record });
      else if (isOther(line, place) || (record !== undefined && filter.ids.length === 0)) {
        throw new IndexDamaged(`${name} has no such record at byte ${place.offset}`);
      }
    }
  }
  return found.toSorted((a, b) => comparePlaces(b, a));
}

/** Looked for twice: a segment that was compressed a moment ago has another file by then. */
async function linesOf(
  folder: string,
  name: string,
  places: readonly Place[],
): Promise<readonly (string | undefined)[] | undefined> {
  const offsets = places.map(({ offset }) => offset);
  for (let tried = 0; tried < 2; tried++) {
    const segment = (await listSegments(folder)).find((one) => one.name === name);
    const lines = segment && (await readLinesAt(segment, offsets));
    if (lines !== undefined) return lines;
  }
  return undefined;
}

function parsed(line: string, { timeMs }: Place): RecordLine | undefined {
  const record = parseRecordLine(line);
  return record !== undefined && Date.parse(record.time) === timeMs ? record : undefined;
}

/**
 * Whether the index has something else there. It reads no more of a completion than it holds: one that
 * proves to be no record is not damage of the index.
 */
function isOther(line: string, { timeMs }: Place): boolean {
  return entryOf(line)?.timeMs !== timeMs;
}

/** Where the decision of an id stands. */
async function placeOf(folder: string, file: IndexFile, id: string): Promise<Place> {
  const filter: RecordFilter = { ...EVERYTHING, ids: [id] };
  const places = findRows(file, { filter, limit: Infinity, completions: true });
  const records = await recordsAt(folder, places, filter);
  const decision = records.findLast(({ record }) => record.type === "decision");
  if (decision !== undefined) return decision;
  const message = `no decision ${id} is in the log`;
  const remedy = "a time, the id of a decision, or what an earlier search said after --before";
  throw new ConfigError([{ message: `--before: ${message}`, remedy }]);
}
