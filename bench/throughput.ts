/**
 * Every peer in turn in front of the same service under the same load, in interleaved rounds:
 * requests per second, latency, CPU per request, memory.
 *
 * Compare by CPU per request. Rates and latencies swing with whatever else the machine does; the CPU
 * that a request costs holds.
 */
import { createCertificate } from "./load/certificate.ts";
import { createCredentials } from "./load/credentials.ts";
import type { LoadResult, LoadTool } from "./load/load.ts";
import { startService } from "./load/service.ts";
import type { Cores } from "./machine/cores.ts";
import { coreBusyMs, groupUsage } from "./machine/process-stat.ts";
import type { Site } from "./machine/site.ts";
import { checkPeer } from "./peers/check.ts";
import type { Peer, PeerPlace, StartedPeer } from "./peers/peer.ts";

export interface ThroughputOptions {
  readonly peers: readonly Peer[];
  readonly rounds: number;
  readonly seconds: number;
  /** Load before each measurement that is not counted; compilers and pools settle in it. */
  readonly warmUpSeconds: number;
  readonly tool: LoadTool;
  readonly cores: Cores;
  /** Folder for CPU profiles of Sallyport. */
  readonly profile: string | undefined;
  readonly progress: (line: string) => void;
}

/**
 * How many times as long the first warm-up of a peer is: a just-in-time compiler needs some 100 000
 * requests until all of it is in its last form. A proxy in service has had them; for each peer alike.
 */
const FIRST_WARM_UP = 5;

/** One measurement of one peer. */
export interface Cell {
  readonly peer: string;
  readonly round: number;
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** User and system time of the peer's whole process group. */
  readonly cpuUsPerRequest: number;
  /** Part of the proxy's core that the peer used, 0 to 1. */
  readonly coreShare: number;
  /** Part of the proxy's core that others used at the same time, 0 to 1: how disturbed it was. */
  readonly disturbance: number;
  /** After the run, summed over the group. */
  readonly residentBytes: number;
  readonly proportionalBytes: number | undefined;
}

interface Seat {
  readonly peer: Peer;
  readonly started: StartedPeer;
  readonly load: (seconds: number) => Promise<LoadResult>;
}

/** Runs all rounds. Throws when a peer does not behave: a figure of a wrong answer is no figure. */
export async function benchThroughput(site: Site, options: ThroughputOptions): Promise<Cell[]> {
  const service = await startService(site, options.cores.load);
  const place: PeerPlace = {
    site,
    core: options.cores.proxy,
    service,
    profile: options.profile,
    certificate: createCertificate(site),
    credentials: { RS256: createCredentials("RS256"), ES256: createCredentials("ES256") },
  };
  const seats: Seat[] = [];
  for (const peer of options.peers) {
    const seat = await seatPeer(peer, place, options);
    seat.started.program.pause();
    seats.push(seat);
  }
  const cells: Cell[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    // Each round starts with another peer, so that none always follows the same one.
    for (let turn = 0; turn < seats.length; turn++) {
      const seat = seats[(turn + round - 1) % seats.length];
      if (seat === undefined) continue;
      const cell = await measure(seat, place, { ...options, round });
      cells.push(cell);
      options.progress(describeCell(cell));
    }
  }
  await Promise.all([...seats.map((seat) => seat.started.program.stop()), service.program.stop()]);
  return cells;
}

async function seatPeer(
  peer: Peer,
  place: PeerPlace,
  { tool, cores }: ThroughputOptions,
): Promise<Seat> {
  const started = await peer.start(place);
  await checkPeer(peer, started, place);
  // Whoever does not look at the token carries it all the same: callers send it to any of them.
  const algorithm = peer.authenticates === "none" ? "RS256" : peer.authenticates;
  const { tokens } = place.credentials[algorithm];
  const { name, paths, tls = false } = peer;
  const target = { name, port: started.port, tls, paths, tokens, core: cores.load };
  return { peer, started, load: tool.aim(place.site, target) };
}

async function measure(
  seat: Seat,
  place: PeerPlace,
  options: ThroughputOptions & { readonly round: number },
): Promise<Cell> {
  const { peer, started, load } = seat;
  const { pid: group } = started.program;
  started.program.resume();
  await load(options.warmUpSeconds * (options.round === 1 ? FIRST_WARM_UP : 1));

  const seenBefore = await place.service.requestsSeen();
  const busyBefore = coreBusyMs(options.cores.proxy);
  const before = groupUsage(group);
  const result = await load(options.seconds);
  const after = groupUsage(group);
  const busyMs = coreBusyMs(options.cores.proxy) - busyBefore;
  const seen = (await place.service.requestsSeen()) - seenBefore;
  started.program.pause();

  assertServed(peer.name, result, { seen, inFlight: options.tool.inFlight });
  const cpuMs = after.cpuMs - before.cpuMs;
  const wallMs = result.seconds * 1000;
  return {
    peer: peer.name,
    round: options.round,
    requests: result.requests,
    requestsPerSecond: result.requests / result.seconds,
    p50Us: result.p50Us,
    p99Us: result.p99Us,
    cpuUsPerRequest: (cpuMs * 1000) / result.requests,
    coreShare: cpuMs / wallMs,
    disturbance: Math.max(0, busyMs - cpuMs) / wallMs,
    residentBytes: after.residentBytes,
    proportionalBytes: after.proportionalBytes,
  };
}

/** Load leaves off with requests on their way, which the service saw and nobody counted. */
function assertServed(
  peer: string,
  result: LoadResult,
  service: { readonly seen: number; readonly inFlight: number },
): void {
  if (result.requests === 0) throw new Error(`${peer} answered nothing`);
  if (result.errors > 0) throw new Error(`${peer}: ${result.errors} requests went wrong`);
  const more = service.seen - result.requests;
  if (more < 0 || more > 2 * service.inFlight) {
    throw new Error(
      `${peer} answered ${result.requests} requests, the service saw ${service.seen}`,
    );
  }
}

function describeCell(cell: Cell): string {
  const rate = Math.round(cell.requestsPerSecond).toString().padStart(6);
  const cpu = cell.cpuUsPerRequest.toFixed(1).padStart(6);
  const disturbed = Math.round(cell.disturbance * 100);
  return `round ${cell.round}  ${cell.peer.padEnd(16)} ${rate} requests/s  ${cpu} µs CPU a request  (others on its core: ${disturbed} %)`;
}
