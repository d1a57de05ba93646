/**
 * Unary gRPC calls at half load, where Sallyport uses half of its core: how long a call takes through
 * it, through HAProxy, and with no proxy between, at the same rate. The load is open (`load/paced-client.ts`):
 * calls come when they come, whatever those before them take.
 */
import { writeFileSync } from "node:fs";
import { createCertificate } from "./load/certificate.ts";
import { createCredentials } from "./load/credentials.ts";
import type { Credentials } from "./load/credentials.ts";
import { callGrpc, GRPC_FIELDS } from "./load/grpc-call.ts";
import { EIGHT_BY_SIXTEEN, runH2Load } from "./load/h2load.ts";
import { runPaced } from "./load/paced-client.ts";
import type { PacedResult } from "./load/paced-client.ts";
import { GRPC_MESSAGE, GRPC_PATH, startService } from "./load/service.ts";
import type { Service } from "./load/service.ts";
import type { Cores } from "./machine/cores.ts";
import { groupUsage } from "./machine/process-stat.ts";
import type { Site } from "./machine/site.ts";
import { until } from "./machine/until.ts";
import { haproxyHttp2Both } from "./peers/haproxy.ts";
import type { StartedPeer } from "./peers/peer.ts";
import { http2Endpoint, startSallyport } from "./peers/sallyport.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { GRPC_POLICIES } from "./peers/sallyport-config.ts";
import { figure, median } from "./report.ts";
import type { Goal, Section } from "./report.ts";

export interface GrpcOptions {
  readonly cores: Cores;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly profile: string | undefined;
  readonly progress: (line: string) => void;
}

type Through = "nothing" | "haproxy" | "sallyport";

interface GrpcResult extends PacedResult {
  /** Whose half load it is. */
  readonly runtime: Runtime;
  readonly through: Through;
  readonly perSecond: number;
  /** Part of its core that the proxy used, 0 to 1. */
  readonly coreShare: number;
}

const RUNTIMES = ["bun", "node"] as const;
const GOAL_MS = 0.5;
const HALF = 0.5;
/** Of a latency; longer ones say no more. */
const SECONDS = 3;
/** Answers that may be missing before a latency says nothing. */
const MISSING = 0.001;
/** Full load before the first measurement, times the warm-up: compilers settle in it. */
const FIRST_WARM_UP = 5;

interface Seats {
  readonly site: Site;
  readonly service: Service;
  readonly credentials: Credentials;
  readonly haproxy: StartedPeer;
  readonly sallyports: Readonly<Record<Runtime, StartedPeer>>;
}

export async function benchGrpc(site: Site, options: GrpcOptions): Promise<Section> {
  const seats = await takeSeats(site, options);
  const results: GrpcResult[] = [];
  for (const runtime of RUNTIMES) {
    const perSecond = await halfLoad(seats, runtime, options);
    for (let round = 1; round <= options.rounds; round++) {
      for (const through of ["nothing", "haproxy", "sallyport"] as const) {
        const result = await measure(seats, { runtime, through, perSecond }, options);
        options.progress(
          `${runtime}, ${figure(perSecond)} calls/s, through ${through}: p50 ${figure(result.p50Us)} µs`,
        );
        results.push(result);
      }
    }
  }
  const { service, haproxy, sallyports } = seats;
  const programs = [haproxy, sallyports.bun, sallyports.node].map(({ program }) => program);
  await Promise.all([...programs, service.program].map((program) => program.stop()));
  return report(results);
}

async function takeSeats(site: Site, options: GrpcOptions): Promise<Seats> {
  const service = await startService(site, options.cores.load);
  const credentials = createCredentials("RS256");
  const haproxy = await haproxyHttp2Both.start({
    site,
    core: options.cores.proxy,
    service,
    profile: undefined,
    certificate: createCertificate(site),
    credentials: { RS256: credentials, ES256: credentials },
  });
  const start = (runtime: Runtime): Promise<StartedPeer> =>
    startSallyport(site, {
      name: `grpc-${runtime}`,
      core: options.cores.proxy,
      runtime,
      profile: options.profile,
      service: http2Endpoint(service),
      signers: [credentials.signer],
      routes: [{ name: "echo", path: "/bench.Echo/*" }],
      policies: GRPC_POLICIES,
    });
  const sallyports = { bun: await start("bun"), node: await start("node") };
  const seats = { site, service, credentials, haproxy, sallyports };
  await check(seats);
  for (const { program } of [haproxy, sallyports.bun, sallyports.node]) program.pause();
  return seats;
}

/** Each answers a good call whole, and Sallyport refuses, as gRPC says it, one without a token. */
async function check({ credentials, haproxy, sallyports }: Seats): Promise<void> {
  const [token = ""] = credentials.tokens;
  for (const { port, program } of [haproxy, sallyports.bun, sallyports.node]) {
    await until(`${program.name} answers a call`, program, async () => {
      const { status, message, grpcStatus } = await callGrpc(port, token);
      return status === 200 && grpcStatus === "0" && message.equals(GRPC_MESSAGE);
    });
  }
  for (const { port, program } of Object.values(sallyports)) {
    const { grpcStatus } = await callGrpc(port, undefined);
    if (grpcStatus !== "16") {
      throw new Error(`${program.name}: no token, and grpc-status ${grpcStatus}, not 16`);
    }
  }
}

/**
 * Calls a second that use half of its core. Half of what it answers under full load would use more: a
 * call costs least where many come and go together.
 */
async function halfLoad(seats: Seats, runtime: Runtime, options: GrpcOptions): Promise<number> {
  const { program, port } = seats.sallyports[runtime];
  const [token = ""] = seats.credentials.tokens;
  const body = seats.site.path("grpc-call");
  writeFileSync(body, GRPC_MESSAGE);
  const { connections, streams } = EIGHT_BY_SIXTEEN;
  const volume = [`-c${connections}`, `-m${streams}`, "-t1", "-d", body];
  const fields = [...pairs(GRPC_FIELDS), `authorization: Bearer ${token}`];
  const target = [...fields.flatMap((one) => ["-H", one]), `http://127.0.0.1:${port}${GRPC_PATH}`];
  const run = (seconds: number): ReturnType<typeof runH2Load> =>
    runH2Load(seats.site, [...volume, `-D${seconds}`, ...target], { core: options.cores.load });
  program.resume();
  await run(options.warmUpSeconds * FIRST_WARM_UP);
  const { requests, seconds, errors } = await run(options.warmUpSeconds);
  program.pause();
  if (errors > 0) throw new Error(`${program.name}: ${errors} calls went wrong under full load`);
  const third = { runtime, through: "sallyport", perSecond: requests / seconds / 3 } as const;
  const { coreShare } = await measure(seats, third, options);
  return Math.round((third.perSecond * HALF) / coreShare);
}

async function measure(
  { service, credentials, haproxy, sallyports }: Seats,
  what: Omit<GrpcResult, keyof PacedResult | "coreShare">,
  options: GrpcOptions,
): Promise<GrpcResult> {
  const { runtime, through, perSecond } = what;
  const proxy = through === "haproxy" ? haproxy : sallyports[runtime];
  const port = through === "nothing" ? service.http2Port : proxy.port;
  const requests = credentials.tokens.map((token) => ({
    method: "POST",
    path: GRPC_PATH,
    fields: [...GRPC_FIELDS, "authorization", `Bearer ${token}`],
    body: GRPC_MESSAGE,
  }));
  const { warmUpSeconds } = options;
  const seconds = Math.min(SECONDS, options.seconds);
  proxy.program.resume();
  const before = groupUsage(proxy.program.pid).cpuMs;
  const startedAt = performance.now();
  const result = await runPaced({ port, requests, perSecond, warmUpSeconds, seconds });
  const coreShare =
    (groupUsage(proxy.program.pid).cpuMs - before) / (performance.now() - startedAt);
  proxy.program.pause();
  if (result.bad > result.wanted * MISSING) {
    throw new Error(`${through}: ${result.bad} of ${result.wanted} calls went wrong`);
  }
  return { ...what, ...result, coreShare };
}

const TITLES: Readonly<Record<Through, string>> = {
  nothing: "no proxy between",
  haproxy: "HAProxy, no authentication",
  sallyport: "Sallyport: RS256, policy, audit",
};

function report(results: readonly GrpcResult[]): Section {
  const of = (runtime: Runtime, through: Through, read: (one: GrpcResult) => number): number =>
    median(results.filter((one) => one.runtime === runtime && one.through === through).map(read));
  const p50Ms = ({ p50Us }: GrpcResult): number => p50Us / 1000;
  const rows = RUNTIMES.flatMap((runtime) =>
    (["nothing", "haproxy", "sallyport"] as const).map((through) => [
      through === "sallyport" ? `${TITLES[through]}, on ${runtime}` : TITLES[through],
      figure(of(runtime, through, ({ perSecond }) => perSecond)),
      figure(of(runtime, through, p50Ms)),
      figure(of(runtime, through, p50Ms) - of(runtime, "nothing", p50Ms)),
      figure(of(runtime, through, ({ p99Us }) => p99Us / 1000)),
      through === "nothing"
        ? ""
        : `${figure(of(runtime, through, ({ coreShare }) => coreShare * 100))} %`,
    ]),
  );
  const goals: Goal[] = RUNTIMES.map((runtime) => ({
    what: `sallyport-${runtime}: added median latency beside HAProxy's`,
    unit: " ms",
    measured: of(runtime, "sallyport", p50Ms) - of(runtime, "haproxy", p50Ms),
    bound: { atMost: GOAL_MS },
  }));
  return {
    name: "grpc",
    title: "gRPC unary: latency added at half load",
    table: {
      columns: ["through", "calls/s", "p50 ms", "added p50 ms", "p99 ms", "core used"],
      rows,
    },
    goals,
    data: results,
  };
}

function pairs(fields: readonly string[]): string[] {
  return fields.flatMap((name, index) =>
    index % 2 === 0 ? [`${name}: ${fields[index + 1] ?? ""}`] : [],
  );
}
