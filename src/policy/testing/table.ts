/**
 * Tables: a case with `each` is one case for every row, in which `<column>` stands for the row's value.
 * Rows are written out (a list of mappings), or are all combinations of the columns' values (a mapping of
 * lists). A value that is nothing but `<column>` becomes the value itself, of whatever kind; within a
 * longer text, it becomes the value's text.
 *
 * Refused: a row that lacks a column or has one that no other has, a column that nothing uses, and a
 * `<name>` that is no column: each would be a case that shows something else than it says.
 */
import type { PathProblem } from "../../wire/document/issues.ts";
import type { Path } from "../../wire/document/place.ts";
import { isMapping } from "../../wire/document/written.ts";
import { suggest } from "../../model/suggest.ts";
import { TEST_LIMITS } from "./test-format.ts";

/** One case as it would stand without a table. */
export interface Unfolded {
  readonly value: unknown;
  /** Where the case stands: its row, where it has one of its own. */
  readonly at: Path;
  /** Where a value of it was written, as a path within the case as it stands in the file. */
  readonly originOf: (path: Path) => Path;
}

export interface Unfolding {
  readonly cases: readonly Unfolded[];
  readonly problems: readonly PathProblem[];
}

const EACH = "each";
const ROWS_REMEDY =
  "a list of rows (mappings of column to value), or a mapping of column to values";
const COLUMN = /<([a-z][A-Za-z0-9_-]*)>/g;

/** Paths of problems are within the case. */
export function unfold(written: unknown): Unfolding {
  if (!isMapping(written) || !Object.hasOwn(written, EACH)) {
    return { cases: [{ value: written, at: ["name"], originOf: (path) => path }], problems: [] };
  }
  const { [EACH]: each, ...template } = written;
  const found = rowsOf(each);
  if ("problems" in found) return { cases: [], problems: found.problems };
  const { columns, rows } = found;
  const problems = columnProblems(template, columns);
  if (problems.length > 0) return { cases: [], problems };
  const listed = Array.isArray(each);
  const cases = rows.map((row, index) => ({
    ...filledIn(template, row),
    at: listed ? [EACH, index] : ["name"],
  }));
  return { cases, problems: [] };
}

/** A value of a row, and where it is written. */
interface Cell {
  readonly value: unknown;
  readonly at: Path;
}

type Row = ReadonlyMap<string, Cell>;

interface Rows {
  readonly columns: ReadonlySet<string>;
  readonly rows: readonly Row[];
}

function rowsOf(each: unknown): Rows | { readonly problems: readonly PathProblem[] } {
  if (Array.isArray(each) && each.length > 0) return listedRows(each);
  if (isMapping(each) && Object.keys(each).length > 0) return combinedRows(each);
  return { problems: [problem([EACH], '"each" has no rows', ROWS_REMEDY)] };
}

function listedRows(each: readonly unknown[]): Rows | { readonly problems: PathProblem[] } {
  const problems: PathProblem[] = [];
  const [first] = each;
  const columns = new Set(isMapping(first) ? Object.keys(first) : []);
  const rows: Row[] = [];
  for (const [index, row] of each.entries()) {
    const at = [EACH, index];
    if (!isMapping(row) || Object.keys(row).length === 0) {
      problems.push(problem(at, "a row is no mapping of column to value", ROWS_REMEDY));
      continue;
    }
    for (const column of columns) {
      if (Object.hasOwn(row, column)) continue;
      problems.push(problem(at, `the row lacks the column "${column}"`, "the same in each row"));
    }
    for (const column of Object.keys(row)) {
      if (columns.has(column)) continue;
      const message = `the first row has no column "${column}"`;
      problems.push(problem([...at, column], message, closeTo(column, columns)));
    }
    rows.push(
      new Map(Object.entries(row).map(([name, value]) => [name, { value, at: [...at, name] }])),
    );
  }
  return problems.length > 0 ? { problems } : { columns, rows };
}

function combinedRows(
  each: Readonly<Record<string, unknown>>,
): Rows | { readonly problems: PathProblem[] } {
  const problems: PathProblem[] = [];
  let rows: Map<string, Cell>[] = [new Map()];
  for (const [column, values] of Object.entries(each)) {
    if (!Array.isArray(values) || values.length === 0) {
      const message = `the column "${column}" is no list of values`;
      problems.push(problem([EACH, column], message, ROWS_REMEDY));
      continue;
    }
    if (rows.length * values.length > TEST_LIMITS.cases) {
      const message = `the columns have more than ${TEST_LIMITS.cases} combinations`;
      return { problems: [problem([EACH], message, "rows, or fewer values")] };
    }
    rows = rows.flatMap((row) =>
      values.map((value: unknown, index) =>
        new Map(row).set(column, { value, at: [EACH, column, index] }),
      ),
    );
  }
  return problems.length > 0 ? { problems } : { columns: new Set(Object.keys(each)), rows };
}

function columnProblems(template: unknown, columns: ReadonlySet<string>): PathProblem[] {
  const problems: PathProblem[] = [];
  const used = new Set<string>();
  walk(template, [], (text, path) => {
    for (const [, column = ""] of text.matchAll(COLUMN)) {
      used.add(column);
      if (columns.has(column)) continue;
      problems.push(problem(path, `there is no column "${column}"`, closeTo(column, columns)));
    }
  });
  for (const column of columns) {
    if (used.has(column)) continue;
    const remedy = `<${column}> where its value is to stand`;
    problems.push(problem([EACH], `nothing uses the column "${column}"`, remedy));
  }
  return problems;
}

function walk(value: unknown, path: Path, visit: (text: string, path: Path) => void): void {
  if (typeof value === "string") visit(value, path);
  else if (Array.isArray(value)) value.forEach((one, index) => walk(one, [...path, index], visit));
  else if (isMapping(value)) {
    for (const [key, one] of Object.entries(value)) walk(one, [...path, key], visit);
  }
}

function filledIn(template: Readonly<Record<string, unknown>>, row: Row): Omit<Unfolded, "at"> {
  /** Places of values that came whole from a cell, and where that is. */
  const cells: { readonly path: Path; readonly at: Path }[] = [];
  const fill = (value: unknown, path: Path): unknown => {
    if (typeof value === "string") {
      const whole = wholeColumn(value);
      const cell = whole === undefined ? undefined : row.get(whole);
      if (cell === undefined) return value.replace(COLUMN, (_, name: string) => textOf(row, name));
      cells.push({ path, at: cell.at });
      return cell.value;
    }
    if (Array.isArray(value)) return value.map((one, index) => fill(one, [...path, index]));
    if (!isMapping(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, fill(one, [...path, key])]),
    );
  };
  const filled = fill(template, []) as Record<string, unknown>;
  return {
    value: named(filled, template["name"], row),
    originOf(path) {
      const cell = cells.find(({ path: at }) => at.every((step, index) => step === path[index]));
      return cell === undefined ? path : [...cell.at, ...path.slice(cell.path.length)];
    },
  };
}

/** A name that says nothing of the row gets what is in it, so that no two cases are called alike. */
function named(filled: Record<string, unknown>, name: unknown, row: Row): unknown {
  if (typeof name !== "string" || name.search(COLUMN) >= 0) return filled;
  const cells = [...row.keys()].map((column) => `${column}: ${textOf(row, column)}`);
  return { ...filled, name: `${name} (${cells.join(", ")})`.slice(0, TEST_LIMITS.name) };
}

function wholeColumn(text: string): string | undefined {
  return /^<([a-z][A-Za-z0-9_-]*)>$/.exec(text)?.[1];
}

function textOf(row: Row, column: string): string {
  const value = row.get(column)?.value;
  if (typeof value === "string") return value;
  return typeof value === "bigint" ? String(value) : JSON.stringify(value, plainLongs);
}

function plainLongs(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

function closeTo(column: string, columns: ReadonlySet<string>): string {
  const close = suggest(column, columns);
  return close === undefined ? `one of ${[...columns].join(", ")}` : `did you mean "${close}"?`;
}

function problem(path: Path, message: string, remedy: string): PathProblem {
  return { path, message, remedy };
}
