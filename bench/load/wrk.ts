/**
 * wrk as the source of load: its script (a different caller and record each request) and its result.
 */
import { writeFileSync } from "node:fs";
import type { Site } from "../machine/site.ts";
import type { LoadResult, LoadTool } from "./load.ts";

export interface LoadOptions {
  readonly url: string;
  readonly script: string;
  readonly seconds: number;
  readonly connections: number;
  readonly core: number;
}

/** Marks the one line of wrk's output that is ours. */
const MARK = "sallyport-bench ";

/** Each run has a log of its own in the site's folder. */
let nextRun = 1;

/** For the sections that compare peers. */
export function createWrk({ connections }: { readonly connections: number }): LoadTool {
  return {
    inFlight: connections,
    aim(site, { name, port, tls, paths, tokens, core }) {
      const script = site.path(`${name}.lua`);
      writeLoadScript(script, { paths, tokens });
      const url = `${tls ? "https" : "http"}://127.0.0.1:${port}/`;
      return (seconds) => runLoad(site, { url, script, seconds, connections, core });
    },
  };
}

/** Writes the script: `paths` and `tokens` in turn, another pair with each request. */
export function writeLoadScript(path: string, options: LoadScript): void {
  writeFileSync(path, loadScript(options));
}

export interface LoadScript {
  readonly paths: readonly string[];
  readonly tokens: readonly string[];
  /** Beside what every request has. */
  readonly headers?: Readonly<Record<string, string>>;
}

function loadScript({ paths, tokens, headers = {} }: LoadScript): string {
  const further = Object.entries(headers).map(
    ([name, value]) => `    headers["${name}"] = "${value}"\n`,
  );
  return `local paths = {
${quoted(paths)}
}
local tokens = {
${quoted(tokens)}
}
local prepared = {}
local turn = 0

function init()
  for index = 1, math.max(#paths, #tokens) do
    local headers = { ["Accept"] = "application/json", ["User-Agent"] = "payments/4.2" }
    for name, value in pairs(wrk.headers) do headers[name] = value end
    headers["Authorization"] = "Bearer " .. tokens[(index - 1) % #tokens + 1]
${further.join("")}    prepared[index] = wrk.format("GET", paths[(index - 1) % #paths + 1], headers)
  end
end

function request()
  turn = turn % #prepared + 1
  return prepared[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '${MARK}{"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"status":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
`;
}

function quoted(values: readonly string[]): string {
  return values.map((value) => `  "${value}",`).join("\n");
}

/** Reads wrk's output. Throws when the script's line is not in it. */
export function parseLoadResult(output: string): LoadResult {
  const line = output.split("\n").find((text) => text.startsWith(MARK));
  if (line === undefined) throw new Error(`wrk did not report:\n${output.slice(-2000)}`);
  const raw = JSON.parse(line.slice(MARK.length)) as Record<string, number>;
  const field = (name: string): number => {
    const value = raw[name];
    if (typeof value !== "number") throw new TypeError(`wrk's report lacks ${name}`);
    return value;
  };
  return {
    requests: field("requests"),
    seconds: field("durationUs") / 1e6,
    p50Us: field("p50Us"),
    p99Us: field("p99Us"),
    errors: field("status") + field("connect") + field("read") + field("write") + field("timeout"),
  };
}

/** Runs wrk on its core. Rejects when it fails or reports nothing. */
export async function runLoad(site: Site, options: LoadOptions): Promise<LoadResult> {
  const volume = ["-t1", `-c${options.connections}`, `-d${options.seconds}s`, "--timeout", "10s"];
  const command = ["wrk", ...volume, "-s", options.script, options.url];
  const program = site.start(`wrk-${nextRun++}`, command, { core: options.core });
  const status = await program.ended;
  if (status !== 0) throw new Error(`wrk ended with ${status}:\n${program.output().slice(-2000)}`);
  return parseLoadResult(program.output());
}
