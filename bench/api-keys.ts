/**
 * A million API keys known: the memory that they take in each process that serves, and what a key costs
 * that is not known yet, on both runtimes.
 */
import { fileURLToPath } from "node:url";
import type { ApiKeyFigures } from "./load/api-key-directory.ts";
import type { Cores } from "./machine/cores.ts";
import type { Site } from "./machine/site.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { figure, megabytes } from "./report.ts";
import type { Goal, Section } from "./report.ts";

export interface ApiKeysOptions {
  readonly cores: Cores;
  readonly quick: boolean;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

const KEYS = 1_000_000;
const QUICK_KEYS = 50_000;
const GOALS = { residentMB: 400, findUs: 8 } as const;

const WITH_RUNTIME = fileURLToPath(new URL("../tools/with-runtime", import.meta.url));
const PROGRAM = fileURLToPath(new URL("load/api-key-directory.ts", import.meta.url));
/** As bin/sallyport starts it; and Node shows its collector only when told to. */
const FLAGS: Readonly<Record<Runtime, readonly string[]>> = {
  bun: ["--no-install", "--no-env-file"],
  node: ["--max-semi-space-size=4", "--expose-gc", "--disable-warning=ExperimentalWarning"],
};

interface Row extends ApiKeyFigures {
  readonly runtime: Runtime;
}

export async function benchApiKeys(site: Site, options: ApiKeysOptions): Promise<Section> {
  const rows: Row[] = [];
  for (const runtime of ["bun", "node"] as const) rows.push(await best(site, runtime, options));
  return {
    name: "api-keys",
    title: "A million API keys",
    table: {
      columns: [
        "runtime",
        "keys",
        "resident MB",
        "to take one, µs",
        "not known yet, µs",
        "not there",
        "mistyped",
        "after a change",
      ],
      rows: rows.map((row) => [
        row.runtime,
        figure(row.keys),
        megabytes(row.residentBytes),
        figure(row.applyUs),
        figure(row.findUs.there),
        figure(row.findUs.absent),
        figure(row.formUs),
        figure(row.standsUs),
      ]),
    },
    goals: rows.flatMap(goalsOf),
    data: rows,
  };
}

/** The round in which finding a key took least: other loads on the machine only ever add. */
async function best(site: Site, runtime: Runtime, options: ApiKeysOptions): Promise<Row> {
  let row: Row | undefined;
  for (let round = 0; round < (options.quick ? 1 : options.rounds); round++) {
    const figures = await run(site, runtime, options);
    if (row === undefined || figures.findUs.there < row.findUs.there) row = { runtime, ...figures };
  }
  if (row === undefined) throw new TypeError("at least one round");
  options.progress(
    `${runtime}: ${figure(row.keys)} keys, ${megabytes(row.residentBytes)} MB, a key ${figure(row.findUs.there)} µs`,
  );
  return row;
}

async function run(site: Site, runtime: Runtime, options: ApiKeysOptions): Promise<ApiKeyFigures> {
  const keys = options.quick ? QUICK_KEYS : KEYS;
  const name = `api-keys-${runtime}-${String(performance.now())}`;
  const command = [WITH_RUNTIME, runtime, ...FLAGS[runtime], PROGRAM, String(keys)];
  const program = site.start(name, command, { core: options.cores.proxy });
  if ((await program.ended) !== 0) throw new Error(`${name} failed:\n${program.output()}`);
  return JSON.parse(program.output()) as ApiKeyFigures;
}

function goalsOf({ runtime, keys, residentBytes, findUs }: Row): Goal[] {
  const goal = (what: string, measured: number, unit: string, atMost: number): Goal => ({
    what: `${runtime}, ${what}`,
    unit,
    measured,
    bound: { atMost },
  });
  return [
    goal(`${figure(keys)} keys`, residentBytes / 1e6, " MB", GOALS.residentMB),
    goal("a key that is not known yet", findUs.there, " µs", GOALS.findUs),
  ];
}
