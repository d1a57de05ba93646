/** The benches that a run is made of, in order. */
import type { Cores } from "./machine/cores.ts";
import { REQUIREMENTS, missing } from "./machine/requirements.ts";
import type { Requirement } from "./machine/requirements.ts";
import type { Site } from "./machine/site.ts";
import type { BenchOptions } from "./options.ts";
import { PEERS } from "./peers/all.ts";
import type { Peer } from "./peers/peer.ts";
import { benchHandshakes, TLS_PEERS } from "./handshakes.ts";
import { benchIdle } from "./idle.ts";
import { runPolicyBench } from "./policy-report.ts";
import type { Section } from "./report.ts";
import { benchRouting } from "./routing.ts";
import { benchThroughput } from "./throughput.ts";
import { reportThroughput } from "./throughput-report.ts";
import { benchTokens } from "./tokens.ts";
import { benchTransfer } from "./transfer.ts";
import { benchWebSockets } from "./websockets.ts";
import { benchWorkers } from "./workers.ts";

export interface SectionOptions extends BenchOptions {
  readonly cores: Cores;
  /** Where a line goes that says how far it is. */
  readonly progress: (line: string) => void;
}

export interface SectionPlan {
  readonly name: string;
  readonly title: string;
  readonly requires: (options: BenchOptions) => readonly Requirement[];
  run(site: Site, options: SectionOptions): Promise<Section>;
}

/** What every section with wrk in it needs. */
const LOAD = [REQUIREMENTS.taskset, REQUIREMENTS.wrk, REQUIREMENTS.nginx, REQUIREMENTS.openssl];

export const SECTIONS: readonly SectionPlan[] = [
  {
    name: "throughput",
    title: "Requests: CPU, rate, latency, memory",
    requires: (options) => [...LOAD, ...choosePeers(options).flatMap((peer) => peer.requires)],
    async run(site, options) {
      const peers = choosePeers(options);
      return reportThroughput(await benchThroughput(site, { ...options, peers }), peers);
    },
  },
  {
    name: "policy",
    title: "A policy decision",
    requires: () => [REQUIREMENTS.taskset],
    run: () => runPolicyBench(),
  },
  {
    name: "routing",
    title: "Routing among 10 and 10 000 routes",
    requires: () => LOAD,
    run: benchRouting,
  },
  {
    name: "tokens",
    title: "A million different tokens",
    requires: () => [REQUIREMENTS.taskset, REQUIREMENTS.nginx],
    run: benchTokens,
  },
  {
    name: "transfer",
    title: "A gigabyte to a slow reader",
    requires: () => [REQUIREMENTS.taskset],
    run: benchTransfer,
  },
  {
    name: "handshakes",
    title: "TLS handshakes, whole and resumed",
    requires: () => [...LOAD, ...TLS_PEERS.flatMap((peer) => peer.requires)],
    run: benchHandshakes,
  },
  {
    name: "idle",
    title: "Ten thousand idle connections",
    requires: () => [REQUIREMENTS.taskset, REQUIREMENTS.nginx],
    run: benchIdle,
  },
  {
    name: "workers",
    title: "One worker and two, load on the same two cores",
    requires: () => LOAD,
    run: benchWorkers,
  },
  {
    name: "websockets",
    title: "A thousand WebSockets, ten minutes' worth of messages",
    requires: () => [REQUIREMENTS.taskset],
    run: benchWebSockets,
  },
];

/** Those that `--only` names; where it names none, all that are not optional or are there. */
function choosePeers(options: BenchOptions): readonly Peer[] {
  const named = PEERS.filter(({ name }) => options.only.includes(name));
  if (named.length > 0) return named;
  return PEERS.filter((peer) => peer.optional !== true || missing(peer.requires).length === 0);
}
