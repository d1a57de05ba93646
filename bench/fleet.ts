/**
 * A thousand followers of one authority on one machine, straight and through relays: what the authority
 * holds, spends and sends, and how long a revocation takes from its commit to each of them.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import { FILES, type FeedSent, type FleetReady, type FollowersSeen, put } from "./load/fleet.ts";
import type { Cores } from "./machine/cores.ts";
import { groupUsage } from "./machine/process-stat.ts";
import type { Program, Site } from "./machine/site.ts";
import { figure, megabytes } from "./report.ts";
import type { Goal, Section } from "./report.ts";

export interface FleetOptions {
  readonly cores: Cores;
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

const FOLLOWERS = 1000;
const QUICK_FOLLOWERS = 40;
const PROCESSES = 4;
const RELAYS = [0, 4] as const;
const GOAL_MS = 1000;

const LIMITS = {
  /** What the authority spends while nothing changes is measured for so long. */
  restMs: 10_000,
  /** After the last change: one that has not arrived by then is lost. */
  settleMs: 5000,
  /** A thousand handshakes on a core that everybody shares. */
  patienceMs: 180_000,
} as const;

const WITH_RUNTIME = fileURLToPath(new URL("../tools/with-runtime", import.meta.url));
const PROGRAM = fileURLToPath(new URL("load/fleet.ts", import.meta.url));
const FLAGS = ["--max-semi-space-size=4", "--disable-warning=ExperimentalWarning"];

interface Row {
  readonly relays: number;
  readonly followers: number;
  readonly residentBytes: number;
  /** Of one core, while nothing changes. */
  readonly busyPercent: number;
  readonly bytesPerSecond: number;
  /** From the first handshake to the last follower that was up to date. */
  readonly readyMs: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export async function benchFleet(site: Site, options: FleetOptions): Promise<Section> {
  const rows: Row[] = [];
  for (const relays of RELAYS) {
    const row = await runFleet(site, relays, options);
    options.progress(
      `${row.followers} followers, ${relays} relays: p99 ${figure(row.p99Ms)} ms, authority ${figure(row.busyPercent)} % of a core`,
    );
    rows.push(row);
  }
  return {
    name: "fleet",
    title: "A thousand followers of one authority",
    table: {
      columns: [
        "way",
        "followers",
        "authority, MB",
        "% of a core",
        "KB/s sent",
        "all up to date, s",
        "a change, median ms",
        "p99",
        "longest",
      ],
      rows: rows.map((row) => [
        row.relays === 0 ? "straight" : `through ${row.relays} relays`,
        figure(row.followers),
        megabytes(row.residentBytes),
        figure(row.busyPercent),
        figure(row.bytesPerSecond / 1000),
        figure(row.readyMs / 1000),
        figure(row.medianMs),
        figure(row.p99Ms),
        figure(row.maxMs),
      ]),
    },
    goals: rows.map(goalOf),
    data: rows,
  };
}

function goalOf({ relays, p99Ms }: Row): Goal {
  const what = `from commit to every follower, p99, ${relays === 0 ? "straight" : "through relays"}`;
  return { what, unit: " ms", measured: p99Ms, bound: { atMost: GOAL_MS } };
}

async function runFleet(site: Site, relays: number, options: FleetOptions): Promise<Row> {
  const count = options.quick ? QUICK_FOLLOWERS : FOLLOWERS;
  const folder = site.path(`fleet-${relays}`);
  const { cores } = options;
  const programs: Program[] = [];
  const start = (name: string, core: number, ...words: (string | number)[]): Program => {
    const command = [WITH_RUNTIME, "node", ...FLAGS, PROGRAM, name.replace(/-\d+$/, "")];
    const program = site.start(`${name}-of-${relays}`, [...command, folder, ...words.map(String)], {
      core,
    });
    programs.push(program);
    return program;
  };
  const there = (name: string): Promise<void> => appears(folder, name, programs);
  const authority = start("authority", cores.proxy, relays, count);
  await there(FILES.ready);
  for (let index = 0; index < relays; index++) start(`relay-${index}`, cores.load, index);
  const urls: string[] = [];
  for (let index = 0; index < relays; index++) {
    await there(`relay-${index}.json`);
    urls.push(read(folder, `relay-${index}.json`) as string);
  }
  if (relays === 0) urls.push((read(folder, FILES.ready) as FleetReady).url);
  const each = count / PROCESSES;
  const firsts = Array.from({ length: PROCESSES }, (_, index) => index * each);
  for (const first of firsts) start(`followers-${first}`, cores.load, first, each, ...urls);
  for (const first of firsts) await there(`followers-${first}.ready`);
  const rest = await measureRest(folder, authority, options.quick ? 2000 : LIMITS.restMs);
  put(folder, FILES.go, true);
  await there(FILES.commits);
  await pause(LIMITS.settleMs);
  put(folder, FILES.stop, true);
  for (const first of firsts) await there(`followers-${first}.json`);
  await Promise.all(programs.map((program) => program.ended));
  const seen = firsts.map((first) => read(folder, `followers-${first}.json`) as FollowersSeen);
  const lags = lagsOf(read(folder, FILES.commits) as number[], seen, count);
  const at = (share: number): number => lags[Math.ceil(lags.length * share) - 1] ?? 0;
  return {
    relays,
    followers: count,
    ...rest,
    readyMs: Math.max(...seen.map(({ readyMs }) => readyMs)),
    medianMs: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  };
}

/** Ascending. Throws where a follower missed a change. */
function lagsOf(
  commits: readonly number[],
  seen: readonly FollowersSeen[],
  count: number,
): readonly number[] {
  const lags: number[] = [];
  for (const [index, committed] of commits.entries()) {
    const arrived = seen.flatMap(({ arrivals }) => arrivals[index] ?? []);
    if (arrived.length !== count) {
      throw new Error(`change ${index} reached ${arrived.length} of ${count} followers`);
    }
    lags.push(...arrived.map((ms) => ms - committed));
  }
  return lags.toSorted((a, b) => a - b);
}

async function measureRest(
  folder: string,
  authority: Program,
  ms: number,
): Promise<Pick<Row, "residentBytes" | "busyPercent" | "bytesPerSecond">> {
  const sent = (): FeedSent => read(folder, FILES.sent) as FeedSent;
  const [before, first] = [groupUsage(authority.pid), sent()];
  const began = performance.now();
  await pause(ms);
  const [after, last] = [groupUsage(authority.pid), sent()];
  return {
    residentBytes: after.residentBytes,
    busyPercent: ((after.cpuMs - before.cpuMs) / (performance.now() - began)) * 100,
    bytesPerSecond: ((last.sent - first.sent) / (last.atMs - first.atMs)) * 1000,
  };
}

async function appears(folder: string, name: string, programs: readonly Program[]): Promise<void> {
  const until = performance.now() + LIMITS.patienceMs;
  while (!existsSync(join(folder, name))) {
    const dead = programs.find(({ child }) => child.exitCode !== null && child.exitCode !== 0);
    if (dead !== undefined || performance.now() > until) {
      const printed = (dead ?? programs.at(-1))?.output().slice(-2000);
      throw new Error(`waited in vain for ${name}; ${dead?.name ?? "nobody"} died:\n${printed}`);
    }
    await pause(50);
  }
}

function read(folder: string, name: string): unknown {
  return JSON.parse(readFileSync(join(folder, name), "utf8"));
}
