/** `sallyport audit search` and `audit index`: the log by its side index. */
import { setTimeout as delay } from "node:timers/promises";
import type { Built, BuildProgress } from "../audit/search/build-index.ts";
import { pseudonymsOf } from "../audit/redact/pseudonyms-of.ts";
import { ANONYMOUS, hides, type RecordFilter } from "../audit/search/filter.ts";
import { placeText } from "../audit/search/place-text.ts";
import { type FilterInput, readBefore, readFilter } from "../audit/search/read-filter.ts";
import { recordCells } from "../audit/search/record-text.ts";
import { type FoundRecord, searchLog, withIndex } from "../audit/search/search-log.ts";
import { ConfigError } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { auditFolderOf } from "./audit-folder.ts";
import { endingSignal } from "./first-signal.ts";
import { plain, table } from "./table.ts";

const LIMITS = {
  /** Records of one answer; who wants more pages on, or exports. */
  records: 10_000,
  /** The newest records, of whomever and whatever address, that are looked at for what is redacted. */
  looked: 100,
  /** Milliseconds of work before anything is said of it, and between two lines. */
  quiet: 1000,
  /** Milliseconds between two looks at the log with `--follow`. */
  follow: 1000,
} as const;

export interface LogOptions {
  readonly config: string;
  /** Folder of the log; else the one that the configuration names. */
  readonly audit?: string | undefined;
}

export interface SearchOptions extends LogOptions, FilterInput {
  readonly limit: string;
  readonly before?: string | undefined;
  readonly format: "text" | "jsonl";
}

export interface Said {
  readonly write: (text: string) => void;
  /** For a person, and not for a pipe. */
  readonly hint: (line: string) => void;
}

/** 0: something was found; 1: nothing. Throws SallyportError and ConfigError. */
export async function auditSearch(options: SearchOptions, said: Said): Promise<number> {
  const nowMs = systemClock.now();
  const folder = folderOf(options);
  const filter = await filterOf(options, folder, nowMs);
  const limit = readLimit(options.limit, LIMITS.records);
  const before = readBefore(options.before, nowMs);
  const deps = { ...buildDeps(said), said: (what: string) => said.hint(what) };
  const { records, more } = await searchLog(folder, { filter, limit, before }, deps);
  said.write(options.format === "jsonl" ? jsonLines(records) : textLines(records));
  const last = records.at(-1);
  if (last === undefined) said.hint("no record found");
  else if (more) said.hint(`there are older ones: --before ${placeText(last)}`);
  const newest = async (others: Partial<RecordFilter>): Promise<readonly FoundRecord[]> => {
    const asked = { filter: { ...filter, ...others }, limit: LIMITS.looked, before };
    return (await searchLog(folder, asked, deps)).records;
  };
  if (filter.addresses.length > 0 && (await newest({ addresses: [] })).some(hidesAddress)) {
    said.hint(HIDDEN_ADDRESSES);
  }
  if (hasKeyless(options, filter) && (await newest({ principals: [] })).some(hidesSubject)) {
    said.hint(HIDDEN_SUBJECTS);
  }
  return last === undefined ? 1 : 0;
}

const HIDDEN_ADDRESSES =
  "addresses are redacted in this log (audit.redact), and a search by address finds none of those";
export const HIDDEN_SUBJECTS =
  "subjects are redacted in this log (audit.redact), and a search by name finds none of somebody " +
  "whose key is not in this folder: erased, never seen, or a copy without people/";

function hidesAddress({ record }: FoundRecord): boolean {
  return hides(record, "clientAddress") || hides(record, "peerAddress");
}

function hidesSubject({ record }: FoundRecord): boolean {
  return hides(record, "principal.subject");
}

/** Whether somebody is asked for by name who has no key here: with one, the filter has the pseudonym too. */
export function hasKeyless(input: FilterInput, filter: RecordFilter): boolean {
  const asked = readFilter(input, systemClock.now()).principals;
  const named = asked.filter((id) => id !== ANONYMOUS && !/^[^/]+\/hmac:/.test(id));
  return filter.principals.length < asked.length + named.length;
}

export interface IndexOptions extends LogOptions {
  readonly follow: boolean;
}

/** Always 0. With `follow` it ends at the first signal. */
export async function auditIndex(options: IndexOptions, said: Said): Promise<number> {
  const folder = folderOf(options);
  const end = options.follow ? endingSignal() : undefined;
  const stopped = (): boolean => end?.aborted === true;
  const deps = { ...buildDeps(said), said: (what: string) => said.hint(what), stopped };
  await withIndex(folder, deps, (_, built) => said.write(`${builtText(built)}\n`));
  if (end === undefined) return 0;
  while (!stopped()) {
    await delay(LIMITS.follow, undefined, { signal: end }).catch(() => undefined);
    if (!stopped()) await withIndex(folder, deps, () => undefined);
  }
  return 0;
}

/**
 * What was asked for, with the pseudonyms of those who are asked for while their keys are there. Throws
 * ConfigError, and SallyportError where a key is not what it has to be.
 */
export async function filterOf(
  input: FilterInput,
  folder: string,
  nowMs: number,
): Promise<RecordFilter> {
  const filter = readFilter(input, nowMs);
  const pseudonyms = await pseudonymsOf(filter.principals, folder, systemClock);
  return { ...filter, principals: [...filter.principals, ...pseudonyms] };
}

export function folderOf({ audit, config }: LogOptions): string {
  return audit ?? auditFolderOf(config);
}

/** Throws ConfigError for what is no number from 1 to `most`. */
export function readLimit(text: string, most: number): number {
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= most) return limit;
  const message = `--limit: ${JSON.stringify(text)} is no number of records`;
  throw new ConfigError([{ message, remedy: `a whole number from 1 to ${most}` }]);
}

/** Says what is read of the log, where that takes longer than a moment. */
export function buildDeps({ hint }: Said): {
  readonly monotonic: () => number;
  readonly progress: (done: BuildProgress) => void;
} {
  const monotonic = (): number => systemClock.monotonic();
  let said = monotonic();
  const progress = ({ records, bytes, total }: BuildProgress): void => {
    if (monotonic() - said < LIMITS.quiet) return;
    said = monotonic();
    const percent = total === 0 ? 100 : Math.min(100, Math.floor((100 * bytes) / total));
    hint(`indexing: ${records} records, ${percent} %`);
  };
  return { monotonic, progress };
}

export function jsonLines(records: readonly { readonly line: string }[]): string {
  return records.map(({ line }) => `${line}\n`).join("");
}

function textLines(records: readonly FoundRecord[]): string {
  return table(records.map(({ record }) => recordCells(record).map(plain)));
}

function builtText({ segments, records, faults, dropped }: Built): string {
  const parts = [`${records} records added`, `${segments} files`];
  if (faults > 0) parts.push(`${faults} lines that are no records`);
  if (dropped.length > 0) parts.push(`${dropped.length} files read anew or gone`);
  return parts.join(", ");
}
