/**
 * One worker and two, on the two cores that load and service use as well: what a second process
 * gives where nothing is left over. Rates, so judge by the ratio within a round.
 */
import { createCredentials } from "./load/credentials.ts";
import { startService } from "./load/service.ts";
import { runLoad, writeLoadScript } from "./load/wrk.ts";
import type { Cores } from "./machine/cores.ts";
import { groupUsage } from "./machine/process-stat.ts";
import type { Site } from "./machine/site.ts";
import { RECORD_PATHS } from "./peers/peer.ts";
import { startSallyport } from "./peers/sallyport.ts";
import { figure, median, megabytes } from "./report.ts";
import type { Section } from "./report.ts";

export interface WorkersOptions {
  readonly cores: Cores;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly progress: (line: string) => void;
}

interface WorkersResult {
  readonly name: string;
  readonly requestsPerSecond: number;
  readonly cpuUsPerRequest: number;
  readonly p99Us: number;
  readonly residentBytes: number;
}

const SETUPS = (["bun", "node"] as const).flatMap((runtime) =>
  [1, 2].map((workers) => ({ runtime, workers, name: `${workers} on ${runtime}` })),
);

export async function benchWorkers(site: Site, options: WorkersOptions): Promise<Section> {
  const both = `${options.cores.proxy},${options.cores.load}`;
  const service = await startService(site, options.cores.load);
  const credentials = createCredentials("RS256");
  const script = site.path("workers.lua");
  writeLoadScript(script, { paths: RECORD_PATHS, tokens: credentials.tokens });
  const results: WorkersResult[] = [];
  const seats = [];
  for (const setup of SETUPS) {
    const started = await startSallyport(site, {
      name: `workers-${setup.runtime}-${setup.workers}`,
      core: both,
      runtime: setup.runtime,
      workers: setup.workers,
      service: service.port,
      signers: [credentials.signer],
    });
    started.program.pause();
    seats.push({ ...setup, started });
  }
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, started } of seats) {
      const { program, port } = started;
      program.resume();
      const url = `http://127.0.0.1:${port}/`;
      const load = { url, script, connections: options.connections, core: options.cores.load };
      await runLoad(site, { ...load, seconds: options.warmUpSeconds });
      const before = groupUsage(program.pid);
      const result = await runLoad(site, { ...load, seconds: options.seconds });
      const after = groupUsage(program.pid);
      program.pause();
      if (result.errors > 0) throw new Error(`${name}: ${result.errors} requests went wrong`);
      const one = {
        name,
        requestsPerSecond: result.requests / result.seconds,
        cpuUsPerRequest: ((after.cpuMs - before.cpuMs) * 1000) / result.requests,
        p99Us: result.p99Us,
        residentBytes: after.residentBytes,
      };
      options.progress(`${name}: ${figure(one.requestsPerSecond)} requests/s`);
      results.push(one);
    }
  }
  await Promise.all([
    ...seats.map(({ started }) => started.program.stop()),
    service.program.stop(),
  ]);
  return report(results);
}

function report(results: readonly WorkersResult[]): Section {
  const of = (name: string, read: (one: WorkersResult) => number): number =>
    median(results.filter((one) => one.name === name).map(read));
  return {
    name: "workers",
    title: "One worker and two, load on the same two cores",
    table: {
      columns: ["workers", "requests/s", "CPU µs/request", "p99 ms", "resident MB, all together"],
      rows: SETUPS.map(({ name }) => [
        name,
        figure(of(name, (one) => one.requestsPerSecond)),
        figure(of(name, (one) => one.cpuUsPerRequest)),
        figure(of(name, (one) => one.p99Us) / 1000),
        megabytes(of(name, (one) => one.residentBytes)),
      ]),
    },
    goals: [],
    data: results,
  };
}
