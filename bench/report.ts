/**
 * What a bench hands back: rows for people, goals with what was reached, and the raw figures. Kept
 * apart from the measuring, so that the terminal, the docs and the JSON file all show the same.
 */

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A figure that was set as a goal. */
export interface Goal {
  readonly what: string;
  readonly unit: string;
  readonly measured: number;
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
}

export interface Section {
  /** As `--only` and the marks in the docs name it. */
  readonly name: string;
  readonly title: string;
  readonly table: Table;
  readonly goals: readonly Goal[];
  /** The measurements behind the table, as they go to the JSON file. */
  readonly data: unknown;
}

export function isReached(goal: Goal): boolean {
  return "atLeast" in goal.bound
    ? goal.measured >= goal.bound.atLeast
    : goal.measured <= goal.bound.atMost;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new TypeError("no values, no median");
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** A section as Markdown: table, then goals. */
export function formatSection(section: Section): string {
  const parts = [formatTable(section.table)];
  if (section.goals.length > 0) parts.push(formatTable(goalTable(section.goals)));
  return parts.join("\n\n");
}

/** Pads the cells, so that the table reads as well in a terminal. The first column is text, the others figures. */
export function formatTable(table: Table): string {
  const lines = [table.columns, ...table.rows];
  const widths = table.columns.map((_, column) =>
    Math.max(3, ...lines.map((line) => (line[column] ?? "").length)),
  );
  const format = (line: readonly string[]): string =>
    `| ${widths.map((width, column) => pad(line[column] ?? "", width, column)).join(" | ")} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [format(table.columns), rule, ...table.rows.map(format)].join("\n");
}

function pad(text: string, width: number, column: number): string {
  return column === 0 ? text.padEnd(width) : text.padStart(width);
}

function goalTable(goals: readonly Goal[]): Table {
  return {
    columns: ["goal", "to reach", "measured", ""],
    rows: goals.map((goal) => [
      goal.what,
      "atLeast" in goal.bound
        ? `≥ ${figure(goal.bound.atLeast)}${goal.unit}`
        : `≤ ${figure(goal.bound.atMost)}${goal.unit}`,
      `${figure(goal.measured)}${goal.unit}`,
      isReached(goal) ? "reached" : "**missed**",
    ]),
  };
}

/** Three significant digits, never in powers of ten. */
export function figure(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US").replaceAll(",", " ");
  return Number(value.toPrecision(3)).toString();
}

export function megabytes(bytes: number): string {
  return figure(bytes / 1e6);
}
