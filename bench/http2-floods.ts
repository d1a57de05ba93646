/**
 * What floods cost others: good requests that use half of the proxy's core, alone, and while an
 * attacker on a connection of its own sends as fast as it is let and comes back when it is cut off.
 *
 * The attacker has what load and service leave of their core, so that what the good requests lose
 * they lose in the proxy. HAProxy stands beside it under the same load.
 */
import { fileURLToPath } from "node:url";
import { createCertificate } from "./load/certificate.ts";
import { createCredentials } from "./load/credentials.ts";
import { FLOODING, FLOODS, parseFloodReport } from "./load/flood.ts";
import type { FloodKind, FloodReport } from "./load/flood.ts";
import { createH2Load, EIGHT_BY_SIXTEEN } from "./load/h2load.ts";
import { runPaced } from "./load/paced-client.ts";
import type { PacedRequest, PacedResult } from "./load/paced-client.ts";
import { startService } from "./load/service.ts";
import type { Cores } from "./machine/cores.ts";
import { groupUsage } from "./machine/process-stat.ts";
import type { Site } from "./machine/site.ts";
import { until } from "./machine/until.ts";
import { checkPeer } from "./peers/check.ts";
import { haproxyHttp2 } from "./peers/haproxy.ts";
import { RECORD_PATHS } from "./peers/peer.ts";
import type { Peer, PeerPlace, StartedPeer } from "./peers/peer.ts";
import { sallyportsHttp2 } from "./peers/sallyport.ts";
import { figure } from "./report.ts";
import type { Section } from "./report.ts";

export interface FloodOptions {
  readonly cores: Cores;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly profile: string | undefined;
  readonly progress: (line: string) => void;
}

interface FloodResult extends PacedResult {
  readonly peer: string;
  readonly flood: FloodKind | "none";
  /** Part of the proxy's core that it used, 0 to 1. */
  readonly coreShare: number;
  readonly seconds: number;
  readonly attack: FloodReport | undefined;
}

const PEERS: readonly Peer[] = [...sallyportsHttp2.toHttp1, haproxyHttp2];
const FLOOD = fileURLToPath(new URL("load/flood.ts", import.meta.url));
/** Of a measurement; longer ones say no more. */
const SECONDS = 3;
const HALF = 0.5;
/** Full load before anything is measured, times the warm-up: compilers settle in it. */
const FIRST_WARM_UP = 5;

interface Seat {
  readonly peer: Peer;
  readonly started: StartedPeer;
}

export async function benchFloods(site: Site, options: FloodOptions): Promise<Section> {
  const { cores } = options;
  const service = await startService(site, cores.load);
  const credentials = { RS256: createCredentials("RS256"), ES256: createCredentials("ES256") };
  const certificate = createCertificate(site);
  const core = cores.proxy;
  const place: PeerPlace = {
    site,
    core,
    service,
    credentials,
    certificate,
    profile: options.profile,
  };
  const seats: Seat[] = [];
  for (const peer of PEERS) {
    const started = await peer.start(place);
    await checkPeer(peer, started, place);
    started.program.pause();
    seats.push({ peer, started });
  }
  const perSecond = await halfLoad(seats, place, options);
  const results: FloodResult[] = [];
  for (const seat of seats) {
    for (const flood of ["none", ...FLOODS] as const) {
      const result = await measure(seat, place, { ...options, perSecond, flood });
      options.progress(
        `${seat.peer.name}, flood ${flood}: ${result.good} of ${result.wanted} good, p99 ${figure(result.p99Us / 1000)} ms`,
      );
      results.push(result);
    }
  }
  await Promise.all([
    ...seats.map(({ started }) => started.program.stop()),
    service.program.stop(),
  ]);
  return report(results, perSecond);
}

/** For all: requests a second that use half of the core of that Sallyport which carries fewer. */
async function halfLoad(
  seats: readonly Seat[],
  place: PeerPlace,
  options: FloodOptions,
): Promise<number> {
  const rates: number[] = [];
  for (const { peer, started } of seats) {
    if (peer.authenticates === "none") continue;
    const load = createH2Load(EIGHT_BY_SIXTEEN).aim(place.site, {
      name: peer.name,
      port: started.port,
      tls: false,
      paths: RECORD_PATHS,
      tokens: place.credentials.RS256.tokens,
      core: options.cores.load,
    });
    started.program.resume();
    await load(options.warmUpSeconds * FIRST_WARM_UP);
    const { requests, seconds } = await load(options.warmUpSeconds);
    const third = { ...options, perSecond: requests / seconds / 3, flood: "none" } as const;
    const { coreShare } = await measure({ peer, started }, place, third);
    rates.push((third.perSecond * HALF) / coreShare);
  }
  return Math.round(Math.min(...rates));
}

async function measure(
  { peer, started }: Seat,
  place: PeerPlace,
  options: FloodOptions & {
    readonly perSecond: number;
    readonly flood: FloodResult["flood"];
  },
): Promise<FloodResult> {
  const { perSecond, warmUpSeconds, flood } = options;
  const seconds = Math.min(SECONDS, options.seconds);
  const { tokens } = place.credentials.RS256;
  const requests = RECORD_PATHS.map((path, index): PacedRequest => ({
    method: "GET",
    path,
    fields: ["authorization", `Bearer ${tokens[index % tokens.length] ?? ""}`],
  }));
  started.program.resume();
  const attacker =
    flood === "none"
      ? undefined
      : place.site.start(
          `flood-${flood}-${peer.name}`,
          [process.execPath, FLOOD, flood, String(started.port), tokens[0] ?? ""],
          { core: options.cores.load, background: true },
        );
  if (attacker !== undefined) {
    await until("the attacker floods", attacker, async () => attacker.output().includes(FLOODING));
  }
  const before = groupUsage(started.program.pid);
  const startedAt = performance.now();
  const result = await runPaced({
    port: started.port,
    requests,
    perSecond,
    warmUpSeconds,
    seconds,
  });
  const wallMs = performance.now() - startedAt;
  const cpuMs = groupUsage(started.program.pid).cpuMs - before.cpuMs;
  attacker?.assertAlive();
  await attacker?.stop();
  started.program.pause();
  return {
    ...result,
    peer: peer.name,
    flood,
    coreShare: cpuMs / wallMs,
    seconds: wallMs / 1000,
    attack: attacker === undefined ? undefined : parseFloodReport(attacker.output()),
  };
}

function report(results: readonly FloodResult[], perSecond: number): Section {
  return {
    name: "http2-floods",
    title: "Good requests while another connection floods",
    table: {
      columns: [
        "peer, flood",
        "good requests/s",
        "lost",
        "p50 ms",
        "p99 ms",
        "core used",
        "attacker's connections/s",
        "MB/s",
      ],
      rows: results.map((one) => [
        `${one.peer}, ${one.flood}`,
        figure((one.good / one.wanted) * perSecond),
        figure(one.bad),
        figure(one.p50Us / 1000),
        figure(one.p99Us / 1000),
        `${figure(one.coreShare * 100)} %`,
        one.attack === undefined ? "" : figure(one.attack.connections / one.seconds),
        one.attack === undefined ? "" : figure(one.attack.bytes / one.seconds / 1e6),
      ]),
    },
    goals: results
      .filter(({ peer, flood }) => peer.startsWith("sallyport") && flood !== "none")
      .map(({ peer, flood, bad }) => ({
        what: `${peer}, ${flood}: good requests lost`,
        unit: "",
        measured: bad,
        bound: { atMost: 0 },
      })),
    data: { perSecond, results },
  };
}
