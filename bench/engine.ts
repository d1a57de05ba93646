/**
 * `tools/with-runtime node bench/engine.ts [ROUNDS] [SECONDS]`: the HTTP/1.1 engine alone, as a bare
 * pass-through without gate or audit, beside nginx `proxy_pass`, in front of the same nginx.
 *
 * The proxy runs on core 0, load and service on core 1. The figure to judge by is the processor time
 * of the proxy's process per request: on a shared machine rates swing, this holds. Rounds are
 * interleaved, and proxies that are not in turn do nothing.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Deadlines } from "../src/http/deadlines.ts";
import type { ForwardObserver } from "../src/http/exchange.ts";
import { listenerSchema } from "../src/http/listener-options.ts";
import { serviceSchema } from "../src/http/service-options.ts";
import { listen } from "../src/http/listener.ts";
import { createUpstream } from "../src/http/service.ts";
import type { Log } from "../src/model/ports.ts";
import { systemClock } from "../src/platform/clock.ts";
import { createNameResolver } from "../src/platform/name-resolver.ts";
import { systemTimers } from "../src/platform/timers.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";
import { createUpstreamMetrics } from "../src/telemetry/upstream-metrics.ts";
import { forwardable } from "../src/wire/fields.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Clock ticks of /proc/PID/stat in a second (sysconf _SC_CLK_TCK on Linux). */
const TICKS = 100;
const WARM_UP_SECONDS = 5;
const BODY = JSON.stringify({ id: 1, name: "0123456789".repeat(11) });

if (process.argv[2] === "serve") await serve(Number(process.argv[3]), Number(process.argv[4]));
else await measure(Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 4));

/** The pass-through: what the engine costs when nothing is decided. */
async function serve(port: number, servicePort: number): Promise<void> {
  const log: Log = { debug() {}, info() {}, warn: console.warn, error: console.error };
  const deadlines = new Deadlines(systemClock);
  const upstream = createUpstream(
    serviceSchema.parse({ endpoints: [`http://127.0.0.1:${servicePort}`] }),
    {
      name: "bench",
      clock: systemClock,
      timers: systemTimers,
      metrics: createUpstreamMetrics(createMetrics()).service("bench"),
      resolver: createNameResolver(),
      deadlines,
      log,
      requestTrailers: (trailers) => trailers,
      responseTrailers: (trailers) => trailers,
    },
  );
  const observer: ForwardObserver = {
    responseFields: (_status, fields) => fields,
    fault: (reason) => ({ status: 502, fields: [], body: reason }),
    done() {},
  };
  await listen(listenerSchema.parse({ name: "bench", address: `127.0.0.1:${port}` }), {
    clock: systemClock,
    deadlines,
    log,
    handler: {
      request(exchange) {
        const { method, target, fields, connectionOptions } = exchange.head;
        upstream.forward(
          exchange,
          {
            method,
            target,
            fields: forwardable(fields, connectionOptions),
            connectTimeoutMs: 5000,
            responseTimeoutMs: 30_000,
            totalTimeoutMs: 60_000,
            idleTimeoutMs: 60_000,
            maxBodyBytes: 1024 ** 3,
          },
          observer,
        );
      },
      malformed: () => ({ fields: [], body: "" }),
    },
  });
  process.on("SIGTERM", () => process.exit(0));
}

interface Peer {
  readonly name: string;
  readonly port: number;
  readonly process: ChildProcess;
  readonly micros: number[];
  readonly rates: number[];
}

async function measure(rounds: number, seconds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "engine-bench-"));
  const started: ChildProcess[] = [];
  try {
    const servicePort = await freePort();
    started.push(nginx(folder, { core: 1, port: servicePort, upstream: undefined }));
    await accepting(servicePort);
    const peers: Peer[] = [];
    for (const name of ["nginx", "bun", "node"]) {
      const port = await freePort();
      const process =
        name === "nginx"
          ? nginx(folder, { core: 0, port, upstream: servicePort })
          : passThrough(name, port, servicePort);
      started.push(process);
      await accepting(port);
      peers.push({ name, port, process, micros: [], rates: [] });
    }
    // Until the compilers have had their say: some 100 000 requests on a quiet machine.
    for (const peer of peers) load(peer.port, WARM_UP_SECONDS);
    for (let round = 0; round < rounds; round += 1) {
      for (const peer of peers) runOnce(peer, seconds);
    }
    report(peers);
  } finally {
    for (const process of started) process.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

function nginx(
  folder: string,
  options: { readonly core: number; readonly port: number; readonly upstream: number | undefined },
): ChildProcess {
  const { core, port, upstream } = options;
  const location =
    upstream === undefined
      ? `default_type application/json; return 200 '${BODY}';`
      : 'proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";';
  const service =
    upstream === undefined
      ? ""
      : `upstream service { server 127.0.0.1:${upstream}; keepalive 128; keepalive_requests 1000000000; }`;
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(" ");
  const path = join(folder, `nginx-${port}.conf`);
  writeFileSync(
    path,
    `worker_processes 1; daemon off; master_process off; pid ${folder}/${port}.pid;
error_log ${folder}/error.log;
events { worker_connections 2048; }
http { access_log off; keepalive_requests 1000000000; ${temp} ${service}
  server { listen 127.0.0.1:${port}; location / { ${location} } } }\n`,
  );
  return spawn("taskset", ["-c", String(core), "nginx", "-c", path, "-p", folder], {
    stdio: ["ignore", "inherit", "inherit"],
  });
}

function passThrough(runtime: string, port: number, servicePort: number): ChildProcess {
  const self = fileURLToPath(import.meta.url);
  const args = [`${ROOT}/tools/with-runtime`, runtime, self, "serve", `${port}`, `${servicePort}`];
  return spawn("taskset", ["-c", "0", ...args], { stdio: ["ignore", "inherit", "inherit"] });
}

function runOnce(peer: Peer, seconds: number): void {
  load(peer.port, 1);
  const before = processorTicks(peer.process);
  const requests = load(peer.port, seconds);
  const ticks = processorTicks(peer.process) - before;
  peer.micros.push((ticks * 1_000_000) / TICKS / requests);
  peer.rates.push(requests / seconds);
}

function load(port: number, seconds: number): number {
  const result = spawnSync(
    "taskset",
    ["-c 1 wrk -t1 -c64", `-d${seconds}s`, `http://127.0.0.1:${port}/billing/records?id=1`]
      .join(" ")
      .split(" ")
      .concat("-H", "accept: */*", "-H", "user-agent: bench")
      .concat("-H", `authorization: Bearer ${"x".repeat(200)}`),
    { encoding: "utf8" },
  );
  const requests = /(\d+) requests in/.exec(result.stdout)?.[1];
  if (requests === undefined || /Non-2xx|Socket errors/.test(result.stdout)) {
    throw new Error(`the load failed: ${result.stdout}${result.stderr}`);
  }
  return Number(requests);
}

function processorTicks(process: ChildProcess): number {
  const stat = readFileSync(`/proc/${process.pid}/stat`, "utf8");
  // After the name in parentheses, which may hold spaces, utime and stime are the 12th and 13th.
  const parts = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(parts[11]) + Number(parts[12]);
}

function report(peers: readonly Peer[]): void {
  const base = Math.min(...(peers[0]?.micros ?? []));
  for (const { name, micros, rates, process } of peers) {
    const best = Math.min(...micros);
    const resident = /VmRSS:\s+(\d+)/.exec(
      readFileSync(`/proc/${process.pid}/status`, "utf8"),
    )?.[1];
    console.log(
      [
        name.padEnd(6),
        `${best.toFixed(1)} us/request (${micros.map((value) => value.toFixed(1)).join(" ")})`,
        `efficiency ${(base / best).toFixed(2)} of nginx`,
        `${Math.round(Math.max(...rates))} requests/s`,
        `${Math.round(Number(resident) / 1024)} MiB`,
      ].join("  "),
    );
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new TypeError("not a TCP address");
  return address.port;
}

async function accepting(port: number): Promise<void> {
  const until = Date.now() + 10_000;
  while (Date.now() < until) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true));
      socket.on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nothing accepts connections on port ${port}`);
}
