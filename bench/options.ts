/** The command line of the bench. */
import { parseArgs } from "node:util";

export interface BenchOptions {
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly rounds: number;
  readonly connections: number;
  /** Sections and peers by name; empty: all. */
  readonly only: readonly string[];
  /** Small sizes everywhere: to see that it works, not to quote. */
  readonly quick: boolean;
  readonly json: string | undefined;
  readonly writeDocs: boolean;
  /** Puts the run before whatever else the machine does. */
  readonly priority: boolean;
  readonly keep: boolean;
  /** Folder for CPU profiles of Sallyport; they slow what they look at, so no figure counts. */
  readonly profile: string | undefined;
}

export const USAGE = `npm run bench -- [options]
  --seconds N       length of one measurement (5)
  --warm-up N       load before it that is not counted, in seconds (2);
                    five times as long before a peer's first
  --rounds N        how often each peer has its turn (5)
  --connections N   connections of the HTTP/1.1 load (64)
  --only A,B        sections or peers to run; naming peers runs their sections with them alone
  --quick           small sizes throughout: shows that it works, gives no figure to quote
  --json FILE       writes every measurement
  --write-docs      puts the tables into docs/benchmarks.md
  --profile DIR     writes CPU profiles of Sallyport; no figure of such a run counts
  --priority        puts the run before whatever else a shared machine does (needs root)
  --keep            leaves the temporary folder
  --help`;

/** Returns undefined for `--help`. Throws TypeError, with a line for the user, at what it does not know. */
export function parseBenchOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string" },
      "warm-up": { type: "string" },
      rounds: { type: "string" },
      connections: { type: "string" },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      "write-docs": { type: "boolean", default: false },
      profile: { type: "string" },
      priority: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  if (values["write-docs"] && (values.quick || values.profile !== undefined)) {
    throw new TypeError("--quick and --profile give no figures to write into the docs");
  }
  return {
    seconds: whole("seconds", values.seconds, values.quick ? 1 : 5),
    warmUpSeconds: whole("warm-up", values["warm-up"], values.quick ? 1 : 2),
    rounds: whole("rounds", values.rounds, values.quick ? 1 : 5),
    connections: whole("connections", values.connections, 64),
    only: (values.only ?? "").split(",").filter((name) => name !== ""),
    quick: values.quick,
    json: values.json,
    writeDocs: values["write-docs"],
    priority: values.priority,
    keep: values.keep,
    profile: values.profile,
  };
}

function whole(name: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new TypeError(`--${name} takes a whole number from 1`);
  }
  return value;
}
