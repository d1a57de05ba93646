/**
 * A million revocations in force: the memory that they take, what a request pays for being looked
 * up, and how long a turn of the process gets while they come in, on both runtimes.
 */
import { fileURLToPath } from "node:url";
import type { RevocationFigures, Spread } from "./load/revocation-list.ts";
import type { Cores } from "./machine/cores.ts";
import type { Site } from "./machine/site.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { figure, megabytes } from "./report.ts";
import type { Goal, Section } from "./report.ts";

export interface RevocationsOptions {
  readonly cores: Cores;
  readonly quick: boolean;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

const ENTRIES = 1_000_000;
const QUICK_ENTRIES = 50_000;
const GOALS = { residentMB: 100, lookupUs: 1, turnMs: 10 } as const;

const WITH_RUNTIME = fileURLToPath(new URL("../tools/with-runtime", import.meta.url));
const PROGRAM = fileURLToPath(new URL("load/revocation-list.ts", import.meta.url));
/** As bin/sallyport starts it; and Node shows its collector only when told to. */
const FLAGS: Readonly<Record<Runtime, readonly string[]>> = {
  bun: ["--no-install", "--no-env-file"],
  node: ["--max-semi-space-size=4", "--expose-gc", "--disable-warning=ExperimentalWarning"],
};

interface Row extends RevocationFigures {
  readonly runtime: Runtime;
}

export async function benchRevocations(site: Site, options: RevocationsOptions): Promise<Section> {
  const rows: Row[] = [];
  for (const runtime of ["bun", "node"] as const) rows.push(await best(site, runtime, options));
  return {
    name: "revocations",
    title: "A million revocations in force",
    table: {
      columns: [
        "runtime",
        "entries",
        "resident MB",
        "known, median µs",
        "after a change",
        "never seen",
        "revoked",
        "p99 after a change",
        "to take one, µs",
        "longest, ms",
        "longest sweep, ms",
        "a decision without, µs",
        "with",
      ],
      rows: rows.map((row) => [
        row.runtime,
        figure(row.entries),
        megabytes(row.residentBytes),
        figure(row.known.medianUs),
        figure(row.changed.medianUs),
        figure(row.first.medianUs),
        figure(row.revoked.medianUs),
        figure(row.changed.p99Us),
        figure(row.applyUs),
        figure(row.longestEntryMs),
        figure(row.longestSweepMs),
        figure(row.decisionUs.without),
        figure(row.decisionUs.with),
      ]),
    },
    goals: rows.flatMap(goalsOf),
    data: rows,
  };
}

/** Of each figure the best of the rounds: other loads on the machine only ever add. */
async function best(site: Site, runtime: Runtime, options: RevocationsOptions): Promise<Row> {
  let row: Row | undefined;
  for (let round = 0; round < (options.quick ? 1 : options.rounds); round++) {
    const figures = await run(site, runtime, options);
    row = row === undefined ? { runtime, ...figures } : { runtime, ...better(row, figures) };
  }
  if (row === undefined) throw new TypeError("at least one round");
  options.progress(
    `${runtime}: ${figure(row.entries)} entries, ${megabytes(row.residentBytes)} MB, a look-up ${figure(row.changed.medianUs)} µs`,
  );
  return row;
}

async function run(
  site: Site,
  runtime: Runtime,
  options: RevocationsOptions,
): Promise<RevocationFigures> {
  const entries = options.quick ? QUICK_ENTRIES : ENTRIES;
  const name = `revocations-${runtime}-${String(performance.now())}`;
  const command = [WITH_RUNTIME, runtime, ...FLAGS[runtime], PROGRAM, String(entries)];
  const program = site.start(name, command, { core: options.cores.proxy });
  if ((await program.ended) !== 0) throw new Error(`${name} failed:\n${program.output()}`);
  return JSON.parse(program.output()) as RevocationFigures;
}

function better(one: RevocationFigures, other: RevocationFigures): RevocationFigures {
  const least = (name: "applyUs" | "longestEntryMs" | "longestTurnMs" | "longestSweepMs"): number =>
    Math.min(one[name], other[name]);
  const faster = (name: "known" | "changed" | "first" | "revoked"): Spread =>
    one[name].medianUs <= other[name].medianUs ? one[name] : other[name];
  return {
    entries: one.entries,
    // Memory is the most: what others take of the machine does not make it more.
    residentBytes: Math.max(one.residentBytes, other.residentBytes),
    applyUs: least("applyUs"),
    longestEntryMs: least("longestEntryMs"),
    longestTurnMs: least("longestTurnMs"),
    longestSweepMs: least("longestSweepMs"),
    known: faster("known"),
    changed: faster("changed"),
    first: faster("first"),
    revoked: faster("revoked"),
    decisionUs: {
      without: Math.min(one.decisionUs.without, other.decisionUs.without),
      with: Math.min(one.decisionUs.with, other.decisionUs.with),
    },
  };
}

function goalsOf({ runtime, ...row }: Row): Goal[] {
  const goal = (what: string, measured: number, unit: string, atMost: number): Goal => ({
    what: `${runtime}, ${what}`,
    unit,
    measured,
    bound: { atMost },
  });
  return [
    goal(`${figure(row.entries)} entries`, row.residentBytes / 1e6, " MB", GOALS.residentMB),
    goal("look-up after a change, median", row.changed.medianUs, " µs", GOALS.lookupUs),
    goal("longest turn for one entry", row.longestEntryMs, " ms", GOALS.turnMs),
  ];
}
