/**
 * What it costs that every request is recorded, sealed in a tree, watched and counted: the same proxy
 * without an audit log, with it, with all that reads it, and with a flush before each answer.
 *
 * Two figures of CPU. All threads together is the cost where the proxy has one core in all; the thread
 * that serves alone is the cost where the writer and the reader of the log have a core of their own.
 */
import { createCredentials } from "./load/credentials.ts";
import type { Signer } from "./load/credentials.ts";
import type { LoadResult } from "./load/load.ts";
import { startService } from "./load/service.ts";
import type { Service } from "./load/service.ts";
import { runLoad, writeLoadScript } from "./load/wrk.ts";
import type { Cores } from "./machine/cores.ts";
import { firstThreadCpuMs, groupUsage } from "./machine/process-stat.ts";
import type { Site } from "./machine/site.ts";
import { copyWithoutAudit } from "./peers/audit-off.ts";
import { RECORD_PATHS } from "./peers/peer.ts";
import type { StartedPeer } from "./peers/peer.ts";
import { startSallyport } from "./peers/sallyport.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { figure, median, megabytes } from "./report.ts";
import type { Goal, Section } from "./report.ts";

export interface AuditCostOptions {
  readonly cores: Cores;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly progress: (line: string) => void;
}

type Setup = "off" | "log" | "all" | "strict";

const SETUPS: Readonly<Record<Setup, string>> = {
  off: "no audit log",
  log: "the log, sealed in its tree",
  all: "and signs, usage with a quota, access log, traces at 1 %",
  strict: "the log, sealed, durability: strict",
};

/** The most that all of it may cost of what a request costs without. */
const GOALS = { oneCore: 1.25, ownCore: 1.08, strict: 0.5 } as const;

interface Seat {
  readonly runtime: Runtime;
  readonly setup: Setup;
  readonly started: StartedPeer;
}

interface Cell {
  readonly runtime: Runtime;
  readonly setup: Setup;
  readonly round: number;
  readonly requestsPerSecond: number;
  readonly cpuUsPerRequest: number;
  readonly servingUsPerRequest: number;
  readonly p99Us: number;
  readonly residentBytes: number;
}

export async function benchAuditCost(site: Site, options: AuditCostOptions): Promise<Section> {
  const service = await startService(site, options.cores.load);
  const credentials = createCredentials("RS256");
  const script = site.path("audit.lua");
  writeLoadScript(script, { paths: RECORD_PATHS, tokens: credentials.tokens });
  const withoutAudit = copyWithoutAudit(site);
  const seats: Seat[] = [];
  for (const runtime of ["bun", "node"] as const) {
    for (const setup of Object.keys(SETUPS) as Setup[]) {
      const place = { site, core: options.cores.proxy, service, signer: credentials.signer };
      const started = await start(runtime, setup, { ...place, withoutAudit });
      started.program.pause();
      seats.push({ runtime, setup, started });
    }
  }
  const cells: Cell[] = [];
  const run = async (seat: Seat, seconds: number): Promise<LoadResult> => {
    const url = `http://127.0.0.1:${seat.started.port}/`;
    const { connections, cores } = options;
    return await runLoad(site, { url, script, connections, seconds, core: cores.load });
  };
  for (let round = 1; round <= options.rounds; round++) {
    // Each round starts with another one, so that none always follows the same.
    for (let turn = 0; turn < seats.length; turn++) {
      const seat = seats[(turn + round - 1) % seats.length];
      if (seat === undefined) continue;
      const cell = await measure(seat, run, { ...options, round });
      options.progress(
        `${seat.runtime} ${seat.setup}: ${figure(cell.cpuUsPerRequest)} µs, ${figure(cell.servingUsPerRequest)} on the serving thread`,
      );
      cells.push(cell);
    }
  }
  await Promise.all([
    ...seats.map(({ started }) => started.program.stop()),
    service.program.stop(),
  ]);
  return report(cells);
}

interface Place {
  readonly site: Site;
  readonly core: number;
  readonly service: Service;
  readonly signer: Signer;
  /** The file that runs it without an audit log. */
  readonly withoutAudit: string;
}

async function start(runtime: Runtime, setup: Setup, place: Place): Promise<StartedPeer> {
  const { site, core, service, signer, withoutAudit } = place;
  return await startSallyport(site, {
    name: `audit-${runtime}-${setup}`,
    core,
    runtime,
    service: service.port,
    signers: [signer],
    ...(setup === "off" ? { entry: withoutAudit } : {}),
    ...(setup === "strict" ? { audit: "  durability: strict" } : {}),
    ...(setup === "all" ? { more: everything(service.port) } : {}),
  });
}

/** The collector is the service: it answers whatever is sent to it. */
function everything(collector: number): string {
  return `tracing: { otlp: { endpoint: "http://127.0.0.1:${collector}" }, sample: 1% }
accessLog: { format: json, to: access.log }
usage:
  plans: { standard: { quota: { requests: 1000000000, per: month } } }
  plan: { default: standard }
signs: {}`;
}

async function measure(
  seat: Seat,
  run: (seat: Seat, seconds: number) => Promise<LoadResult>,
  { round, seconds, warmUpSeconds }: AuditCostOptions & { readonly round: number },
): Promise<Cell> {
  const { runtime, setup, started } = seat;
  const { program } = started;
  program.resume();
  // The first time for a just-in-time compiler: all of the code in its last form.
  await run(seat, warmUpSeconds * (round === 1 ? 5 : 1));
  const before = groupUsage(program.pid);
  const servingBefore = firstThreadCpuMs(program.pid);
  const result = await run(seat, seconds);
  const servingMs = firstThreadCpuMs(program.pid) - servingBefore;
  const after = groupUsage(program.pid);
  program.pause();
  if (result.errors > 0) throw new Error(`${setup}: ${result.errors} requests went wrong`);
  return {
    runtime,
    setup,
    round,
    requestsPerSecond: result.requests / result.seconds,
    cpuUsPerRequest: ((after.cpuMs - before.cpuMs) * 1000) / result.requests,
    servingUsPerRequest: (servingMs * 1000) / result.requests,
    p99Us: result.p99Us,
    residentBytes: after.residentBytes,
  };
}

function report(cells: readonly Cell[]): Section {
  const rows = (["bun", "node"] as const).flatMap((runtime) =>
    (Object.entries(SETUPS) as [Setup, string][]).map(([setup, title]) => {
      const own = cells.filter((cell) => cell.runtime === runtime && cell.setup === setup);
      const of = (read: (cell: Cell) => number): number => median(own.map(read));
      return [
        `${runtime}: ${title}`,
        figure(of((cell) => cell.cpuUsPerRequest)),
        `${figure(ratio(cells, { runtime, setup, to: "off" }, allThreads))} ×`,
        figure(of((cell) => cell.servingUsPerRequest)),
        `${figure(ratio(cells, { runtime, setup, to: "off" }, servingThread))} ×`,
        figure(of((cell) => cell.requestsPerSecond)),
        figure(of((cell) => cell.p99Us) / 1000),
        megabytes(Math.max(...own.map((cell) => cell.residentBytes))),
      ];
    }),
  );
  return {
    name: "audit",
    title: "Recording, sealing and watching every request",
    table: {
      columns: [
        "proxy",
        "CPU µs/request",
        "to no log",
        "serving thread µs",
        "to no log",
        "requests/s",
        "p99 ms",
        "resident MB",
      ],
      rows,
    },
    goals: (["bun", "node"] as const).flatMap((runtime) => goalsOf(cells, runtime)),
    data: cells,
  };
}

function goalsOf(cells: readonly Cell[], runtime: Runtime): Goal[] {
  return [
    {
      what: `${runtime}: all of it on one core, to no log`,
      unit: " ×",
      measured: ratio(cells, { runtime, setup: "all", to: "off" }, allThreads),
      bound: { atMost: GOALS.oneCore },
    },
    {
      what: `${runtime}: all of it, the thread that serves, to no log`,
      unit: " ×",
      measured: ratio(cells, { runtime, setup: "all", to: "off" }, servingThread),
      bound: { atMost: GOALS.ownCore },
    },
    {
      what: `${runtime}: strict to batched, requests in a second`,
      unit: " ×",
      measured: ratio(cells, { runtime, setup: "strict", to: "log" }, rate),
      bound: { atLeast: GOALS.strict },
    },
  ];
}

const allThreads = (cell: Cell): number => cell.cpuUsPerRequest;
const servingThread = (cell: Cell): number => cell.servingUsPerRequest;
const rate = (cell: Cell): number => cell.requestsPerSecond;

/** The median over rounds of the ratio within a round: what disturbs the machine disturbs neighbours alike. */
function ratio(
  cells: readonly Cell[],
  { runtime, setup, to }: { readonly runtime: Runtime; readonly setup: Setup; readonly to: Setup },
  read: (cell: Cell) => number,
): number {
  const of = (name: Setup, round: number): Cell | undefined =>
    cells.find((cell) => cell.runtime === runtime && cell.setup === name && cell.round === round);
  const ratios = cells.flatMap(({ round, runtime: own, setup: name }) => {
    if (own !== runtime || name !== setup) return [];
    const [one, other] = [of(setup, round), of(to, round)];
    return one === undefined || other === undefined ? [] : [read(one) / read(other)];
  });
  return median(ratios);
}
