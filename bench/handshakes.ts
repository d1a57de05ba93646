/**
 * TLS handshakes, whole and resumed, of the peers that speak TLS. What a handshake costs the peer is
 * measured by its CPU; the rate beside it is bounded by the one process that makes the callers.
 */
import { createCertificate } from "./load/certificate.ts";
import { createCredentials } from "./load/credentials.ts";
import { shakeHands, takeSession } from "./load/handshake-client.ts";
import { startService } from "./load/service.ts";
import type { Cores } from "./machine/cores.ts";
import { groupUsage } from "./machine/process-stat.ts";
import type { Site } from "./machine/site.ts";
import { PEERS } from "./peers/all.ts";
import { checkPeer } from "./peers/check.ts";
import type { Peer, PeerPlace, StartedPeer } from "./peers/peer.ts";
import { figure, median } from "./report.ts";
import type { Section } from "./report.ts";

export interface HandshakesOptions {
  readonly cores: Cores;
  readonly rounds: number;
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

interface Handshakes {
  readonly peer: string;
  readonly kind: "whole" | "resumed";
  readonly cpuUs: number;
  readonly perSecond: number;
}

const COUNT = 1500;
const QUICK_COUNT = 100;
const CONNECTIONS = 8;

export const TLS_PEERS: readonly Peer[] = PEERS.filter(({ tls }) => tls === true);

export async function benchHandshakes(site: Site, options: HandshakesOptions): Promise<Section> {
  const service = await startService(site, options.cores.load);
  const place: PeerPlace = {
    site,
    core: options.cores.proxy,
    service,
    profile: undefined,
    certificate: createCertificate(site),
    credentials: { RS256: createCredentials("RS256"), ES256: createCredentials("ES256") },
  };
  const seats: { readonly peer: Peer; readonly started: StartedPeer }[] = [];
  for (const peer of TLS_PEERS) {
    const started = await peer.start(place);
    await checkPeer(peer, started, place);
    started.program.pause();
    seats.push({ peer, started });
  }
  const results: Handshakes[] = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const { peer, started } of seats) {
      started.program.resume();
      for (const kind of ["whole", "resumed"] as const) {
        const result = await measure(peer, started, { kind, quick: options.quick });
        if (round > 0 || options.rounds === 1) results.push(result);
        options.progress(`${peer.name} ${kind}: ${figure(result.cpuUs)} µs CPU a handshake`);
      }
      started.program.pause();
    }
  }
  await Promise.all([
    ...seats.map(({ started }) => started.program.stop()),
    service.program.stop(),
  ]);
  return report(results);
}

async function measure(
  peer: Peer,
  { program, port }: StartedPeer,
  { kind, quick }: { readonly kind: Handshakes["kind"]; readonly quick: boolean },
): Promise<Handshakes> {
  const count = quick ? QUICK_COUNT : COUNT;
  const session = kind === "resumed" ? await takeSession(port) : undefined;
  const before = groupUsage(program.pid);
  const startedAt = performance.now();
  const resumed = await shakeHands({ port, count, connections: CONNECTIONS, session });
  const seconds = (performance.now() - startedAt) / 1000;
  const cpuMs = groupUsage(program.pid).cpuMs - before.cpuMs;
  const wanted = kind === "resumed" ? count : 0;
  if (resumed !== wanted) {
    throw new Error(`${peer.name} resumed ${resumed} of ${count} sessions, not ${wanted}`);
  }
  return { peer: peer.name, kind, cpuUs: (cpuMs * 1000) / count, perSecond: count / seconds };
}

function report(results: readonly Handshakes[]): Section {
  const of = (peer: string, kind: Handshakes["kind"], read: (one: Handshakes) => number): string =>
    figure(median(results.filter((one) => one.peer === peer && one.kind === kind).map(read)));
  return {
    name: "handshakes",
    title: "TLS handshakes, whole and resumed",
    table: {
      columns: ["peer", "whole, CPU µs", "per second", "resumed, CPU µs", "per second"],
      rows: TLS_PEERS.map(({ name, title }) => [
        title,
        of(name, "whole", (one) => one.cpuUs),
        of(name, "whole", (one) => one.perSecond),
        of(name, "resumed", (one) => one.cpuUs),
        of(name, "resumed", (one) => one.perSecond),
      ]),
    },
    goals: [],
    data: results,
  };
}
