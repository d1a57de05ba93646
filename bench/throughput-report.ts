/** The table of a throughput run: CPU per request first, with the ratios that are to be judged by. */
import type { Peer } from "./peers/peer.ts";
import type { Goal, Section } from "./report.ts";
import { figure, median, megabytes } from "./report.ts";
import type { Cell } from "./throughput.ts";

/** Which section it is, and what its peers are compared with. */
export interface ThroughputReport {
  readonly name: string;
  readonly title: string;
  readonly ratios: readonly RatioColumn[];
  readonly goals: readonly RatioGoal[];
  /** Most that Sallyport may hold after the run; undefined: no goal. */
  readonly residentGoalMB?: number;
}

export interface RatioColumn {
  readonly heading: string;
  /** With whom a peer is compared; undefined: with nobody. */
  readonly to: (peer: string) => string | undefined;
}

/** What Sallyport is to reach: how many times as many requests for the same CPU as the other peer. */
export interface RatioGoal {
  readonly peer: string;
  readonly to: string;
  readonly atLeast: number;
}

export const HTTP1_REPORT: ThroughputReport = {
  name: "throughput",
  title: "Requests: CPU, rate, latency, memory",
  ratios: [
    { heading: "to nginx", to: () => "nginx" },
    { heading: "to HAProxy RS256", to: () => "haproxy-rs256" },
  ],
  goals: [
    { peer: "sallyport-bun", to: "nginx", atLeast: 0.75 },
    { peer: "sallyport-bun", to: "haproxy-rs256", atLeast: 2.5 },
    { peer: "sallyport-bun", to: "haproxy-es256", atLeast: 5 },
    { peer: "sallyport-node", to: "haproxy-rs256", atLeast: 1.5 },
    { peer: "sallyport-bun-tls", to: "haproxy-tls", atLeast: 0.7 },
  ],
  residentGoalMB: 150,
};

export function reportThroughput(
  { name: section, title: heading, ratios, goals, residentGoalMB }: ThroughputReport,
  cells: readonly Cell[],
  peers: readonly Peer[],
): Section {
  const of = (peer: string, read: (cell: Cell) => number): number =>
    median(cells.filter((cell) => cell.peer === peer).map(read));
  const ratioText = (peer: string, to: string | undefined): string => {
    const ratio = to === undefined ? undefined : cpuRatio(cells, peer, to);
    return ratio === undefined ? "" : `${figure(ratio)} ×`;
  };
  const rows = peers
    .toSorted((a, b) => of(a.name, cpu) - of(b.name, cpu))
    .map(({ name, title }) => [
      title,
      figure(of(name, cpu)),
      spread(cells.filter((cell) => cell.peer === name).map(cpu)),
      ...ratios.map(({ to }) => ratioText(name, to(name))),
      figure(of(name, (cell) => cell.requestsPerSecond)),
      figure(of(name, (cell) => cell.p50Us) / 1000),
      figure(of(name, (cell) => cell.p99Us) / 1000),
      megabytes(
        Math.max(...cells.filter((cell) => cell.peer === name).map((cell) => cell.residentBytes)),
      ),
    ]);
  return {
    name: section,
    title: heading,
    table: {
      columns: [
        "peer",
        "CPU µs/request",
        "(least–most)",
        ...ratios.map((one) => one.heading),
        "requests/s",
        "p50 ms",
        "p99 ms",
        "resident MB",
      ],
      rows,
    },
    goals: [
      ...ratioGoals(cells, goals),
      ...(residentGoalMB === undefined ? [] : residentGoals(cells, residentGoalMB)),
    ],
    data: cells,
  };
}

/**
 * How many requests a peer serves for the CPU that another spends on one. The median over rounds of
 * the ratio within a round: what disturbs the machine disturbs neighbours alike.
 */
export function cpuRatio(cells: readonly Cell[], peer: string, to: string): number | undefined {
  const ratios: number[] = [];
  for (const cell of cells) {
    if (cell.peer !== peer) continue;
    const other = cells.find((one) => one.peer === to && one.round === cell.round);
    if (other !== undefined) ratios.push(other.cpuUsPerRequest / cell.cpuUsPerRequest);
  }
  return ratios.length === 0 ? undefined : median(ratios);
}

function ratioGoals(cells: readonly Cell[], wanted: readonly RatioGoal[]): Goal[] {
  const goals: Goal[] = [];
  for (const { peer, to, atLeast } of wanted) {
    const measured = cpuRatio(cells, peer, to);
    if (measured === undefined) continue;
    goals.push({
      what: `${peer} to ${to}, by CPU per request`,
      unit: " ×",
      measured,
      bound: { atLeast },
    });
  }
  return goals;
}

function residentGoals(cells: readonly Cell[], atMost: number): Goal[] {
  const names = new Set(
    cells.map((cell) => cell.peer).filter((name) => name.startsWith("sallyport")),
  );
  return [...names].map((name) => {
    const most = Math.max(
      ...cells.filter((cell) => cell.peer === name).map((cell) => cell.residentBytes),
    );
    const what = `${name}, resident after the run`;
    return { what, unit: " MB", measured: most / 1e6, bound: { atMost } };
  });
}

function cpu(cell: Cell): number {
  return cell.cpuUsPerRequest;
}

function spread(values: readonly number[]): string {
  return `${figure(Math.min(...values))}–${figure(Math.max(...values))}`;
}
