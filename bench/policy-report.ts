/** The table of the policy bench: ours beside the official engine, on the runtime that runs the bench. */
import { benchPolicy } from "./policy.ts";
import type { PolicyBenchRow } from "./policy.ts";
import { figure } from "./report.ts";
import type { Goal, Section } from "./report.ts";

const MEDIAN_GOAL_US = 3;
const GROWTH_GOAL = 1.5;

export async function runPolicyBench(): Promise<Section> {
  return reportPolicy(await benchPolicy());
}

export function reportPolicy(rows: readonly PolicyBenchRow[]): Section {
  return {
    name: "policy",
    title: "A policy decision",
    table: {
      columns: [
        "policies",
        "ours, median µs",
        "p99 µs",
        "official engine, median µs",
        "load ms",
        "longest block ms",
      ],
      rows: rows.map((row) => [
        `${figure(row.policies)} ${row.shape}`,
        figure(row.medianUs),
        figure(row.p99Us),
        figure(row.officialMedianUs),
        figure(row.loadMs),
        figure(row.loadBlockedMs),
      ]),
    },
    goals: scopedGoals(rows),
    data: rows,
  };
}

function scopedGoals(rows: readonly PolicyBenchRow[]): Goal[] {
  const medianOf = (policies: number): number => {
    const row = rows.find((one) => one.shape === "scoped" && one.policies === policies);
    if (row === undefined) throw new TypeError(`no row for ${policies} scoped policies`);
    return row.medianUs;
  };
  return [
    {
      what: "a decision with 1 000 scoped policies, median",
      unit: " µs",
      measured: medianOf(1000),
      bound: { atMost: MEDIAN_GOAL_US },
    },
    {
      what: "with 10 000 to that with 1 000",
      unit: " ×",
      measured: medianOf(10_000) / medianOf(1000),
      bound: { atMost: GROWTH_GOAL },
    },
  ];
}
