/**
 * The hop that a sidecar adds: the ingress proxy and a sidecar, each by itself in front of the same service under
 * the same load. The ingress checks a token, asks policies and records; the sidecar finds the service, puts its key on
 * the request and records. With keys that are bound by DPoP a signature is made for each request.
 */
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createCredentials } from "./load/credentials.ts";
import { get } from "./load/request.ts";
import { type Service, startService } from "./load/service.ts";
import { runLoad, writeLoadScript } from "./load/wrk.ts";
import type { Cores } from "./machine/cores.ts";
import { freePorts } from "./machine/ports.ts";
import { groupUsage } from "./machine/process-stat.ts";
import type { Site } from "./machine/site.ts";
import { until } from "./machine/until.ts";
import { RECORD_PATHS, type StartedPeer } from "./peers/peer.ts";
import { type Runtime, startSallyport } from "./peers/sallyport.ts";
import { figure, median, type Section } from "./report.ts";

export interface EgressBenchOptions {
  readonly cores: Cores;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly progress: (line: string) => void;
}

interface EgressResult {
  readonly name: string;
  readonly round: number;
  readonly requestsPerSecond: number;
  readonly cpuUsPerRequest: number;
}

const PROGRAM = fileURLToPath(new URL("../bin/sallyport", import.meta.url));
const RUNTIMES: readonly Runtime[] = ["bun", "node"];
const HOPS = ["ingress", "sidecar", "sidecar, DPoP"] as const;
const RATIO_GOAL = 0.8;

export async function benchEgress(site: Site, options: EgressBenchOptions): Promise<Section> {
  const service = await startService(site, options.cores.load);
  const credentials = createCredentials("RS256");
  const script = site.path("egress.lua");
  const headers = { "sallyport-egress": "1" };
  writeLoadScript(script, { paths: RECORD_PATHS, tokens: credentials.tokens, headers });
  const tokens = await startTokens();
  const seats = [];
  for (const runtime of RUNTIMES) {
    for (const hop of HOPS) {
      const place = {
        name: `egress-${runtime}-${HOPS.indexOf(hop)}`,
        runtime,
        core: options.cores.proxy,
      };
      const started =
        hop === "ingress"
          ? await startSallyport(site, {
              ...place,
              service: service.port,
              signers: [credentials.signer],
            })
          : await startSidecar(site, {
              ...place,
              service,
              tokens: tokens.port,
              dpop: hop !== "sidecar",
            });
      started.program.pause();
      seats.push({ name: nameOf(hop, runtime), started });
    }
  }
  const results: EgressResult[] = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, started } of seats) {
      started.program.resume();
      const url = `http://127.0.0.1:${started.port}/`;
      const load = { url, script, connections: options.connections, core: options.cores.load };
      await runLoad(site, { ...load, seconds: options.warmUpSeconds * (round === 0 ? 5 : 1) });
      const before = groupUsage(started.program.pid);
      const result = await runLoad(site, { ...load, seconds: options.seconds });
      const after = groupUsage(started.program.pid);
      started.program.pause();
      if (result.errors > 0) throw new Error(`${name}: ${result.errors} requests went wrong`);
      const cpuUsPerRequest = ((after.cpuMs - before.cpuMs) * 1000) / result.requests;
      const requestsPerSecond = result.requests / result.seconds;
      options.progress(`${name}: ${figure(requestsPerSecond)} requests/s`);
      results.push({ name, round, requestsPerSecond, cpuUsPerRequest });
    }
  }
  await Promise.all([
    ...seats.map(({ started }) => started.program.stop()),
    service.program.stop(),
  ]);
  tokens.close();
  return report(results);
}

function nameOf(hop: (typeof HOPS)[number], runtime: Runtime): string {
  return `${hop}, on ${runtime === "bun" ? "Bun" : "Node"}`;
}

function report(results: readonly EgressResult[]): Section {
  const of = (name: string, read: (one: EgressResult) => number): number =>
    median(results.filter((one) => one.name === name).map(read));
  const rate = (one: EgressResult): number => one.requestsPerSecond;
  const ratio = (hop: (typeof HOPS)[number], runtime: Runtime): number =>
    of(nameOf(hop, runtime), rate) / of(nameOf("ingress", runtime), rate);
  return {
    name: "egress",
    title: "The sidecar's hop beside the ingress proxy",
    table: {
      columns: ["hop", "requests/s", "CPU µs/request", "to the ingress"],
      rows: RUNTIMES.flatMap((runtime) =>
        HOPS.map((hop) => {
          const name = nameOf(hop, runtime);
          const cpu = of(name, (one) => one.cpuUsPerRequest);
          return [name, figure(of(name, rate)), figure(cpu), `${figure(ratio(hop, runtime))} ×`];
        }),
      ),
    },
    goals: RUNTIMES.map((runtime) => ({
      what: `sidecar on ${runtime}: its rate to the ingress proxy's`,
      unit: " ×",
      measured: ratio("sidecar", runtime),
      bound: { atLeast: RATIO_GOAL },
    })),
    data: results,
  };
}

/** A token endpoint that gives anybody a key. */
async function startTokens(): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((request, response) => {
    const type = request.headers["dpop"] === undefined ? "Bearer" : "DPoP";
    request.resume();
    response.setHeader("content-type", "application/json");
    // As long as a key of ours is.
    const token = `${"k".repeat(200)}.${"k".repeat(400)}.${"k".repeat(86)}`;
    response.end(JSON.stringify({ access_token: token, token_type: type, expires_in: 3600 }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no address");
  return { port: address.port, close: () => void server.close() };
}

interface SidecarPlace {
  readonly name: string;
  readonly runtime: Runtime;
  readonly core: number;
  readonly service: Service;
  readonly tokens: number;
  readonly dpop: boolean;
}

async function startSidecar(site: Site, place: SidecarPlace): Promise<StartedPeer> {
  const [port = 0, adminPort = 0] = await freePorts(2);
  const folder = site.path(place.name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync(join(folder, "client.pem"), pem, { mode: 0o600 });
  const config = join(folder, "sallyport.yaml");
  writeFileSync(
    config,
    `version: 1
admin: { address: "127.0.0.1:${adminPort}" }
egress:
  authority: { tokenEndpoint: "http://127.0.0.1:${place.tokens}/token" }
  identity: { clientId: bench, privateKey: client.pem }
  listeners: [{ name: out, address: "127.0.0.1:${port}", service: billing }]
  allow:
    billing:
      host: billing.internal
      endpoints: ["http://127.0.0.1:${place.service.port}"]
      bind: ${place.dpop ? "dpop" : "none"}
audit: { path: audit }
`,
  );
  const program = site.start(place.name, [PROGRAM, "run", "-c", config], {
    core: place.core,
    cwd: folder,
    env: { SALLYPORT_RUNTIME: place.runtime },
  });
  await until(`${place.name} is ready`, program, async () => {
    const { status } = await get({ port: adminPort, path: "/readyz" });
    return status === 200;
  });
  return { program, port };
}
