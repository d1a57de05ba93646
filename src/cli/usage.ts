/** `sallyport usage report` and `usage export`: sums out of the book, beside a proxy that writes it. */
import type { DatabaseSync } from "node:sqlite";
import {
  type Dimension,
  DIMENSIONS,
  FILTERS,
  reportUsage,
  usedNames,
  type UsageQuery,
  type UsageRow,
} from "../limits/usage/usage-report.ts";
import { pseudonymsOf } from "../audit/redact/pseudonyms-of.ts";
import { csvLine } from "../wire/csv.ts";
import { readUsage } from "../limits/usage/usage-database.ts";
import { OTHERS, UNIDENTIFIED } from "../limits/usage/usage-lines.ts";
import { readHour, TIME_REMEDY, usualHours } from "../limits/usage/usage-times.ts";
import { ConfigError, type Problem } from "../model/errors.ts";
import { ANONYMOUS, principalId } from "../model/principal.ts";
import { suggest } from "../model/suggest.ts";
import { systemClock } from "../platform/clock.ts";
import { plain, table } from "./table.ts";
import { usagePlaceOf } from "./usage-config.ts";

const LIMITS = {
  /** Rows that are read at once. */
  page: 5000,
  /** Rows of a text, which has to know all of them for its columns; who wants more wants CSV. */
  text: 10_000,
} as const;

/** Whom the book has without an authenticator. */
const NAMELESS: ReadonlySet<string> = new Set([principalId(ANONYMOUS), UNIDENTIFIED, OTHERS]);

export type UsageFormat = "text" | "csv" | "json";

export interface UsageReportOptions extends Readonly<
  Partial<Record<(typeof FILTERS)[number], string>>
> {
  readonly config: string;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Names with commas between. */
  readonly by: string;
  readonly format: UsageFormat;
}

export interface Said {
  readonly write: (text: string) => void;
  readonly hint: (line: string) => void;
}

/** 0: something was used; 1: nothing. Throws ConfigError and SallyportError. */
export async function usageReport(options: UsageReportOptions, said: Said): Promise<number> {
  const written = queryOf(options, systemClock.now());
  const { file, auditFolder } = usagePlaceOf(options.config);
  const query = await withPseudonyms(written, auditFolder);
  const database = readUsage(file);
  try {
    const pages = pagesOf((page) => reportUsage(database, page), query);
    const rows =
      options.format === "text"
        ? writeText(pages, query, said)
        : options.format === "csv"
          ? writeCsv(pages, query, said)
          : writeJson(pages, query, said);
    if (rows === 0)
      said.hint(plain(["no usage found", ...unusedNames(database, query)].join("; ")));
    return rows === 0 ? 1 : 0;
  } finally {
    database.close();
  }
}

/** Who is asked for is called otherwise in the book where the log has subjects redacted. */
async function withPseudonyms(query: UsageQuery, folder: string): Promise<UsageQuery> {
  const { principal } = query.only ?? {};
  if (typeof principal !== "string") return query;
  const pseudonyms = await pseudonymsOf([principal], folder, systemClock);
  if (pseudonyms.length === 0) return query;
  return { ...query, only: { ...query.only, principal: [principal, ...pseudonyms] } };
}

/** Nothing may be the answer, or the question of a name that was mistyped. */
function unusedNames(database: DatabaseSync, query: UsageQuery): string[] {
  return FILTERS.flatMap((dimension) => {
    const asked = query.only?.[dimension];
    if (dimension === "principal" || typeof asked !== "string") return [];
    const names = usedNames(database, dimension, query);
    if (names.includes(asked)) return [];
    const close = suggest(asked, names);
    const remedy = close === undefined ? "" : ` (did you mean ${JSON.stringify(close)}?)`;
    return [`in that time there is no ${dimension} ${JSON.stringify(asked)}${remedy}`];
  });
}

function queryOf(options: UsageReportOptions, nowMs: number): UsageQuery {
  const problems: Problem[] = [];
  const usual = usualHours(nowMs);
  const hour = (option: "from" | "to", other: number): number => {
    const text = options[option];
    if (text === undefined) return other;
    const timeMs = readHour(text);
    if (timeMs !== undefined) return timeMs;
    const message = `--${option}: ${JSON.stringify(text)} is no hour`;
    problems.push({ message, remedy: TIME_REMEDY });
    return other;
  };
  const fromMs = hour("from", usual.fromMs);
  const toMs = hour("to", usual.toMs);
  if (problems.length === 0 && fromMs >= toMs) {
    const message = "--from is not before --to";
    problems.push({ message, remedy: "an earlier --from; the hour --to is not in the report" });
  }
  const { principal } = options;
  if (principal !== undefined && !NAMELESS.has(principal) && !/^[^/]+\/./s.test(principal)) {
    const message = `--principal: ${JSON.stringify(principal)} names nobody`;
    const remedy = `<authenticator>/<subject>, such as corp/alice, or ${[...NAMELESS].join(", ")}`;
    problems.push({ message, remedy });
  }
  const by = readBy(options.by, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const only = Object.fromEntries(FILTERS.flatMap((name) => named(name, options[name])));
  return { fromMs, toMs, by, only, limit: LIMITS.page };
}

function named(name: string, value: string | undefined): [string, string][] {
  return value === undefined ? [] : [[name, value]];
}

function readBy(text: string, problems: Problem[]): Dimension[] {
  const names = text.split(",").filter((name) => name !== "");
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) < index) problems.push({ message: `--by: "${name}" stands twice` });
    if ((DIMENSIONS as readonly string[]).includes(name)) continue;
    const close = suggest(name, new Set(DIMENSIONS));
    const remedy =
      close === undefined ? `some of ${DIMENSIONS.join(", ")}` : `did you mean "${close}"?`;
    problems.push({ message: `--by: usage is not counted by ${JSON.stringify(name)}`, remedy });
  }
  return names as Dimension[];
}

/** All rows, a page at a time. */
function* pagesOf(
  read: (query: UsageQuery) => readonly UsageRow[],
  query: UsageQuery,
): Generator<readonly UsageRow[]> {
  let after: readonly string[] | undefined;
  for (;;) {
    const rows = read({ ...query, after });
    yield rows;
    if (rows.length < query.limit || query.by.length === 0) return;
    after = rows.at(-1)?.group;
  }
}

const COLUMNS = ["requests", "denied", "bytesIn", "bytesOut", "cost"] as const;

function isUsed(row: UsageRow): boolean {
  return COLUMNS.some((name) => row[name] > 0);
}

function writeText(pages: Iterable<readonly UsageRow[]>, { by }: UsageQuery, said: Said): number {
  const rows: UsageRow[] = [];
  let cut = false;
  for (const page of pages) {
    rows.push(...page.filter(isUsed));
    cut = rows.length > LIMITS.text;
    if (cut) break;
  }
  const shown = rows.slice(0, LIMITS.text);
  if (shown.length > 0) {
    const cells = shown.map((row) => [
      ...row.group.map((name) => plain(name) || "-"),
      ...COLUMNS.map((name) => String(row[name])),
    ]);
    said.write(table([[...by, ...COLUMNS].map((name) => name.toUpperCase()), ...cells]));
  }
  if (cut) said.hint(`only the first ${LIMITS.text} rows; --format csv has all`);
  return shown.length;
}

function writeCsv(pages: Iterable<readonly UsageRow[]>, { by }: UsageQuery, said: Said): number {
  said.write(csvLine([...by, ...COLUMNS]));
  let count = 0;
  for (const page of pages) {
    const used = page.filter(isUsed);
    count += used.length;
    const lines = used.map((row) => csvLine([...row.group, ...COLUMNS.map((name) => row[name])]));
    said.write(lines.join(""));
  }
  return count;
}

/** One object a line. */
function writeJson(pages: Iterable<readonly UsageRow[]>, { by }: UsageQuery, said: Said): number {
  let count = 0;
  for (const page of pages) {
    for (const { group, ...sums } of page.filter(isUsed)) {
      const names = Object.fromEntries(by.map((name, index) => [name, group[index]]));
      said.write(`${JSON.stringify({ ...names, ...sums })}\n`);
      count += 1;
    }
  }
  return count;
}
