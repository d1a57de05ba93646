/** Workloads as a person reads them in a terminal: a table of many, a list of facts about one. */
import type { Workload } from "../model/workloads.ts";

const COLUMNS = ["NAME", "KIND", "METHOD", "STATE", "UNTIL", "LAST SEEN"] as const;

/** Lines, the first with the names of the columns. */
export function workloadTable(workloads: readonly Workload[], nowMs: number): string[] {
  const rows = [COLUMNS, ...workloads.map((workload) => rowOf(workload, nowMs))];
  const widths = COLUMNS.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** `what  it is`, one fact a line; what is not there is left out. */
export function workloadFacts(workload: Workload, nowMs: number): string[] {
  const { key, disabled, suspicion } = workload;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["name", workload.name],
    ["kind", workload.kind],
    ["method", workload.method],
    ["state", workload.state],
    ["id", workload.id],
    ["made", `${timeText(workload.createdMs)} by ${workload.createdBy}`],
    ["invited until", optional(workload.invitedUntilMs, timeText)],
    ["key", key?.thumbprint],
    ["key since", optional(key?.registeredMs, timeText)],
    ["key until", optional(key?.notAfterMs, timeText)],
    ["serial", key?.serial],
    ["last seen", optional(workload.seenMs, (ms) => `${agoText(nowMs - ms)} (${timeText(ms)})`)],
    ["disabled", disabled && `${timeText(disabled.atMs)} by ${disabled.by}`],
    ["because", disabled?.reason],
    [
      "suspicion",
      suspicion &&
        `${timeText(suspicion.atMs)}, from ${suspicion.address}: a key that was replaced asked for a renewal. If nobody enrolled ${workload.name} anew just then, its key is in two hands: sallyport workloads re-enrol --now ${workload.name}`,
    ],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name.padEnd(width)}  ${value}`],
  );
}

/** The largest unit in which it is at least one. */
export function agoText(ms: number): string {
  const minutes = Math.floor(Math.max(0, ms) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return `${Math.floor(minutes / 1440)} d ago`;
}

export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}

function rowOf(workload: Workload, nowMs: number): string[] {
  const { name, kind, method, state, key, invitedUntilMs, seenMs, suspicion } = workload;
  const until = state === "invited" ? invitedUntilMs : key?.notAfterMs;
  return [
    name,
    kind,
    method,
    suspicion === undefined ? state : `${state}, SUSPICION`,
    until === undefined ? "-" : timeText(until),
    seenMs === undefined ? "never" : agoText(nowMs - seenMs),
  ];
}

function optional<T>(value: T | undefined, text: (value: T) => string): string | undefined {
  return value === undefined ? undefined : text(value);
}
