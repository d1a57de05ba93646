/** Machines as a person reads them in a terminal: a table of many, a list of facts about one. */
import type { Workload } from "./admin-client.ts";
import { plain, span, table } from "./table.ts";

const COLUMNS = ["NAME", "KIND", "METHOD", "STATE", "UNTIL", "LAST SEEN"] as const;

/** The first line has the names of the columns. */
export function workloadTable(workloads: readonly Workload[], nowMs: number): string {
  return table([COLUMNS, ...workloads.map((workload) => rowOf(workload, nowMs))]);
}

/** `what  it is`, one fact a line; what is not there is left out. */
export function workloadFacts(workload: Workload, nowMs: number): string {
  const { name, key, disabled, suspicion, seen } = workload;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["name", name],
    ["kind", workload.kind],
    ["method", workload.method],
    ["state", workload.state],
    ["id", workload.id],
    ["made", `${workload.created} by ${workload.createdBy}`],
    ["invited until", workload.invitedUntil],
    ["key", key?.thumbprint],
    ["key since", key?.registered],
    ["key until", key?.expires],
    ["serial", key?.serial],
    ["last seen", seen && `${seen}, ${agoText(seen, nowMs)}`],
    ["disabled", disabled && `${disabled.at} by ${disabled.by}`],
    ["because", disabled?.reason],
    [
      "suspicion",
      suspicion &&
        `${suspicion.at}, from ${suspicion.address}: a key that was replaced asked for a renewal. If nobody enrolled ${name} anew just then, its key is in two hands: sallyport workloads re-enrol --now ${name}`,
    ],
  ];
  return table(
    facts.flatMap(([what, value]) => (value === undefined ? [] : [[what, plain(value)]])),
  );
}

function rowOf(workload: Workload, nowMs: number): string[] {
  const { name, kind, method, state, key, invitedUntil, seen, suspicion } = workload;
  const until = state === "invited" ? invitedUntil : key?.expires;
  return [
    name,
    kind,
    method,
    suspicion === undefined ? state : `${state}, SUSPICION`,
    until ?? "-",
    seen === undefined ? "never" : agoText(seen, nowMs),
  ];
}

/** As exact as it is known. */
function agoText(time: string, nowMs: number): string {
  const minutes = Math.floor((nowMs - Date.parse(time)) / 60_000);
  return minutes < 1 ? "just now" : `${span(minutes * 60)} ago`;
}
