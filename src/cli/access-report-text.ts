/** The report of accesses, for people (text, Markdown) and for programs (JSON, CSV). */
import type { AccessFigures, Figures } from "../audit/search/access-figures.ts";
import { csvLine } from "../wire/csv.ts";
import { plain, table } from "./table.ts";
import type { Could, WhoCould } from "./who-could.ts";

export interface AccessReport extends AccessFigures {
  readonly nowMs: number;
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly service: string | undefined;
  /** Undefined where there is no configuration to ask. */
  readonly could: WhoCould | undefined;
  /** Why nobody knows who could. */
  readonly unknown: string | undefined;
}

export const REPORT_TEXTS = { text, csv, json, markdown } as const;

function text(report: AccessReport): string {
  const parts = headLines(report).map((line) => `${line}\n`);
  for (const { name, tables } of sections(report)) {
    parts.push(`\n${plain(name)}\n`);
    for (const { title, header, rows } of tables) {
      if (rows.length === 0) parts.push(`  ${title}: none\n`);
      else {
        const lines = table([header, ...rows].map((cells) => cells.map(plain)));
        parts.push(`  ${title}\n${lines.replaceAll(/^/gm, "    ").trimEnd()}\n`);
      }
    }
  }
  return parts.join("");
}

function markdown(report: AccessReport): string {
  const cell = (value: string): string => plain(value).replaceAll(/[\\|`<>*_[\]]/g, "\\$&");
  const row = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |\n`;
  const parts = ["# Access report\n\n", ...headLines(report).map((line) => `- ${cell(line)}\n`)];
  for (const { name, tables } of sections(report)) {
    parts.push(`\n## ${cell(name)}\n`);
    for (const { title, header, rows } of tables) {
      parts.push(`\n### ${title}\n\n`);
      if (rows.length === 0) parts.push("None.\n");
      else parts.push(row(header), `|${" --- |".repeat(header.length)}\n`, ...rows.map(row));
    }
  }
  return parts.join("");
}

/** One row for each caller of each service: `could`, `permitted` or `denied`. */
function csv({ could, services }: AccessReport): string {
  const header = ["service", "what", "who", "route", "actions", "reason", "count", "first", "last"];
  const rows = [
    ...(could?.callers ?? []).flatMap(({ service, who, route, yes, depends }) => [
      ...(yes.length === 0 ? [] : [[service, "could", who, route, yes.join(" ")]]),
      ...(depends.length === 0 ? [] : [[service, "depends", who, route, depends.join(" ")]]),
    ]),
    ...services.flatMap(({ service, permitted, denied }) => [
      ...permitted.map((one) => [service, "permitted", one.principal, "", "", "", ...spanOf(one)]),
      ...denied.map((one) => [
        service,
        "denied",
        one.principal,
        "",
        "",
        one.reason,
        ...spanOf(one),
      ]),
    ]),
  ];
  return (
    csvLine(header) + rows.map((row) => csvLine([...row, "", "", "", ""].slice(0, 9))).join("")
  );
}

function json({ bundles, could, fromMs, nowMs, services, toMs }: AccessReport): string {
  const figures = ({ firstMs, lastMs, count, ...more }: Figures): object => ({
    ...more,
    count,
    first: isoTime(firstMs),
    last: isoTime(lastMs),
  });
  const document = {
    format: 1,
    made: isoTime(nowMs),
    from: fromMs === undefined ? undefined : isoTime(fromMs),
    to: toMs === undefined ? undefined : isoTime(toMs),
    bundles: bundles.map(figures),
    could,
    services: services.map(({ service, permitted, denied }) => ({
      service,
      permitted: permitted.map(figures),
      denied: denied.map(figures),
    })),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function headLines({
  bundles,
  could,
  unknown,
  fromMs,
  nowMs,
  toMs,
}: AccessReport): readonly string[] {
  const from = fromMs === undefined ? "the beginning of the log" : isoTime(fromMs);
  const to = toMs === undefined ? "now" : isoTime(toMs);
  const inForce = bundles.map(
    ({ bundle, count, firstMs, lastMs }) =>
      `decided by ${bundle}: ${count}, from ${isoTime(firstMs)} to ${isoTime(lastMs)}`,
  );
  return [
    `accesses from ${from} to ${to}, made ${isoTime(nowMs)}`,
    ...(inForce.length === 0 ? ["nothing was decided in that time"] : inForce),
    could === undefined ? `who could is not known: ${unknown}` : couldLine(could.bundle, bundles),
  ];
}

/** Policies change: what they allow now says nothing of what they allowed then. */
function couldLine(bundle: string, bundles: AccessFigures["bundles"]): string {
  const others = bundles.filter((one) => one.bundle !== bundle).length;
  const same = bundles.some((one) => one.bundle === bundle);
  const not = same ? "" : ", which decided nothing in that time";
  const sets = others === 1 ? "1 other set" : `${others} other sets`;
  const more = others === 0 ? "" : `; ${sets} of policies decided in that time`;
  return `who could is by the policies of the configuration, ${bundle}${not}${more}`;
}

interface Section {
  readonly name: string;
  readonly tables: readonly {
    readonly title: string;
    readonly header: readonly string[];
    readonly rows: readonly (readonly string[])[];
  }[];
}

function sections({ could, services, service }: AccessReport): readonly Section[] {
  const names = new Set([
    ...(could?.callers ?? []).map((one) => one.service),
    ...services.map((one) => one.service ?? ""),
    ...(service === undefined ? [] : [service]),
  ]);
  return [...names].toSorted().map((name) => {
    const { permitted = [], denied = [] } =
      services.find((one) => (one.service ?? "") === name) ?? {};
    const who = ["who", "count", "first", "last"];
    const callers = (could?.callers ?? []).filter((one) => one.service === name);
    const tables = [
      {
        title: "Who could",
        header: ["who", "route", "yes", "depends"],
        rows: callers.map(couldRow),
      },
      {
        title: "Who did",
        header: who,
        rows: permitted.map((one) => [one.principal ?? NOBODY, ...spanOf(one)]),
      },
      {
        title: "Who was denied",
        header: ["who", "reason", "count", "first", "last"],
        rows: denied.map((one) => [one.principal ?? NOBODY, one.reason, ...spanOf(one)]),
      },
    ];
    return {
      name: name === "" ? "(no service)" : name,
      tables: could === undefined || name === "" ? tables.slice(1) : tables,
    };
  });
}

const NOBODY = "(not known)";

function couldRow({ who, route, yes, depends }: Could): readonly string[] {
  return [who, route, yes.join(" ") || "-", depends.join(" ") || "-"];
}

function spanOf({ count, firstMs, lastMs }: Figures): readonly string[] {
  return [String(count), isoTime(firstMs), isoTime(lastMs)];
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
