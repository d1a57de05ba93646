/**
 * h2load (nghttp2) as the source of HTTP/2 load: some connections, each with some requests under way
 * at once. It sends one set of fields, so all its requests carry the same token; paths go in turn.
 * It never indexes `authorization`, so the token is decoded with each request.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Site } from "../machine/site.ts";
import { findProgram } from "../machine/requirements.ts";
import { percentile } from "./load.ts";
import type { LoadResult, LoadTarget, LoadTool } from "./load.ts";

export interface H2LoadOptions {
  readonly connections: number;
  /** Requests under way on each of them. */
  readonly streams: number;
}

/** As many as the goals name: a few callers, each busy. */
export const EIGHT_BY_SIXTEEN: H2LoadOptions = { connections: 8, streams: 16 };

/** Each run has a log of its own in the site's folder. */
let nextRun = 1;

export function createH2Load({ connections, streams }: H2LoadOptions): LoadTool {
  return {
    inFlight: connections * streams,
    aim(site, target) {
      const urls = site.path(`${target.name}.urls`);
      writeFileSync(urls, urlList(target));
      const volume = [`-c${connections}`, `-m${streams}`, "-t1", "-i", urls];
      const [token = ""] = target.tokens;
      const fields = ["accept: application/json", "user-agent: payments/4.2"];
      const headers = [...fields, `authorization: Bearer ${token}`].flatMap((one) => ["-H", one]);
      return (seconds) =>
        runH2Load(site, [...volume, ...headers, `-D${seconds}`], { core: target.core });
    },
  };
}

/** Runs h2load once with these arguments. Rejects when it fails or reports nothing. */
export async function runH2Load(
  site: Site,
  args: readonly string[],
  { core }: { readonly core: number },
): Promise<LoadResult> {
  const name = `h2load-${nextRun++}`;
  const log = site.path(`${name}.tsv`);
  const command = [findProgram("h2load") ?? "h2load", ...args, "--log-file", log];
  const program = site.start(name, command, { core });
  const status = await program.ended;
  if (status !== 0) {
    throw new Error(`h2load ended with ${status}:\n${program.output().slice(-2000)}`);
  }
  const result = parseH2Load(program.output(), readFileSync(log, "latin1"));
  rmSync(log);
  return result;
}

function urlList({ tls, port, paths }: LoadTarget): string {
  const origin = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
  return paths.map((path) => `${origin}${path}\n`).join("");
}

/** Reads what it prints, and its log: start, status and microseconds of each request, with tabs. */
export function parseH2Load(output: string, log: string): LoadResult {
  const seconds = secondsOf(/^finished in ([\d.]+)(us|ms|s|m)\b/m.exec(output));
  const done = count(output, /^requests: .*?(\d+) done/m);
  const good = count(output, /^status codes: (\d+) 2xx/m);
  const broken = count(output, /^requests: .*?(\d+) errored/m);
  const latencies = latenciesOf(log);
  // What it counted in the last moment is not always in its log.
  if (latencies.length < good * LOGGED) {
    throw new Error(`h2load's log has ${latencies.length} of ${good} good requests`);
  }
  return {
    requests: good,
    seconds,
    p50Us: good === 0 ? 0 : percentile(latencies, 0.5),
    p99Us: good === 0 ? 0 : percentile(latencies, 0.99),
    errors: done - good + broken,
  };
}

/** Part of the good requests that the log has to have. */
const LOGGED = 0.99;

/** Microseconds of each good request. */
function latenciesOf(log: string): Float64Array {
  const found: number[] = [];
  for (const line of log.split("\n")) {
    const [, status = "", microseconds] = line.split("\t");
    if (status.startsWith("2")) found.push(Number(microseconds));
  }
  return Float64Array.from(found);
}

const SECONDS = { us: 1e-6, ms: 1e-3, s: 1, m: 60 } as const;

function secondsOf(found: RegExpExecArray | null): number {
  if (found === null) throw new Error("h2load did not report how long it took");
  const [, value = "", unit = ""] = found;
  return Number(value) * SECONDS[unit as keyof typeof SECONDS];
}

function count(output: string, pattern: RegExp): number {
  const found = pattern.exec(output);
  if (found === null) throw new Error(`h2load did not report:\n${output.slice(-2000)}`);
  return Number(found[1]);
}
