/** The benches that a run is made of, in order. */
import type { Cores } from "./machine/cores.ts";
import { REQUIREMENTS } from "./machine/requirements.ts";
import type { Requirement } from "./machine/requirements.ts";
import type { Site } from "./machine/site.ts";
import type { BenchOptions } from "./options.ts";
import { PEERS } from "./peers/all.ts";
import { choosePeers } from "./peers/choose.ts";
import type { Peer } from "./peers/peer.ts";
import { benchAuditCost } from "./audit-cost.ts";
import { runDpopBench } from "./dpop.ts";
import { benchEgress } from "./egress.ts";
import { runEntitiesBench } from "./entities.ts";
import { benchFleet } from "./fleet.ts";
import { benchGrpc } from "./grpc.ts";
import { benchHandshakes, TLS_PEERS } from "./handshakes.ts";
import { createWrk } from "./load/wrk.ts";
import { benchHttp2, HTTP2, HTTP2_SERVICE, HTTP2_TLS } from "./http2.ts";
import type { Http2Section } from "./http2.ts";
import { benchFloods } from "./http2-floods.ts";
import { benchHttp2Idle } from "./http2-idle.ts";
import { benchHttp2Transfer } from "./http2-transfer.ts";
import { benchIdle } from "./idle.ts";
import { runOperationsBench } from "./operations.ts";
import { runPolicyBench } from "./policy-report.ts";
import type { Section } from "./report.ts";
import { benchFollowing } from "./following.ts";
import { benchPropagation } from "./propagation.ts";
import { benchApiKeys } from "./api-keys.ts";
import { runReplayBench } from "./replay.ts";
import { benchRevocations } from "./revocations.ts";
import { benchRouting } from "./routing.ts";
import { benchThroughput } from "./throughput.ts";
import { HTTP1_REPORT, reportThroughput } from "./throughput-report.ts";
import { benchIssuance } from "./issuance.ts";
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
  /** The part of the docs that says on what machine its table was measured; `machine` where left out. */
  readonly machine?: string;
  /** Peers that `--only` can name; it then runs the section with them alone. */
  readonly peers?: readonly Peer[];
  readonly requires: (options: BenchOptions) => readonly Requirement[];
  run(site: Site, options: SectionOptions): Promise<Section>;
}

/** The tables of HTTP/2 may be of another run than those before them. */
const HTTP2_MACHINE = "machine-http2";

/** Those of the authority too. */
const AUTHORITY_MACHINE = "machine-authority";

/** Those of identities too. */
const IDENTITY_MACHINE = "machine-identity";

/** And those of requests, with all that a proxy does for each. */
const THROUGHPUT_MACHINE = "machine-throughput";

/** And those of operations, data files and replay. */
const POLICY_MACHINE = "machine-policy";

/** And those of the audit log and what reads it. */
const AUDIT_MACHINE = "machine-audit";

/** What every section with wrk in it needs. */
const LOAD = [REQUIREMENTS.taskset, REQUIREMENTS.wrk, REQUIREMENTS.nginx, REQUIREMENTS.openssl];
/** And those that speak HTTP/2. */
const HTTP2_LOAD = [
  REQUIREMENTS.taskset,
  REQUIREMENTS.h2load,
  REQUIREMENTS.nginx,
  REQUIREMENTS.openssl,
  REQUIREMENTS.haproxy,
];

export const SECTIONS: readonly SectionPlan[] = [
  {
    name: "throughput",
    machine: THROUGHPUT_MACHINE,
    title: HTTP1_REPORT.title,
    peers: PEERS,
    requires: ({ only }) => [...LOAD, ...requirementsOf(choosePeers(PEERS, only))],
    async run(site, options) {
      const peers = choosePeers(PEERS, options.only);
      const tool = createWrk(options);
      const cells = await benchThroughput(site, { ...options, peers, tool });
      return reportThroughput(HTTP1_REPORT, cells, peers);
    },
  },
  {
    name: "policy",
    title: "A policy decision",
    requires: () => [REQUIREMENTS.taskset],
    run: () => runPolicyBench(),
  },
  {
    name: "operations",
    machine: POLICY_MACHINE,
    title: "500 operations of an OpenAPI document",
    requires: () => [],
    run: async (_site, options) => await runOperationsBench(options),
  },
  {
    name: "entities",
    machine: POLICY_MACHINE,
    title: "A hundred thousand entities of data files",
    requires: () => [],
    run: async (_site, options) => await runEntitiesBench(options),
  },
  {
    name: "replay",
    machine: POLICY_MACHINE,
    title: "A replay of recorded decisions",
    requires: () => [],
    run: async (_site, options) => await runReplayBench(options),
  },
  {
    name: "dpop",
    machine: IDENTITY_MACHINE,
    title: "A DPoP proof",
    requires: () => [],
    run: async () => await Promise.resolve(runDpopBench()),
  },
  {
    name: "audit",
    machine: AUDIT_MACHINE,
    title: "Recording, sealing and watching every request",
    requires: () => LOAD,
    run: benchAuditCost,
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
    name: "revocations",
    machine: AUTHORITY_MACHINE,
    title: "A million revocations in force",
    requires: () => [REQUIREMENTS.taskset],
    run: benchRevocations,
  },
  {
    name: "api-keys",
    title: "A million API keys",
    requires: () => [REQUIREMENTS.taskset],
    run: benchApiKeys,
  },
  {
    name: "issuance",
    machine: IDENTITY_MACHINE,
    title: "Keys in exchange for tokens",
    requires: () => [REQUIREMENTS.taskset],
    run: benchIssuance,
  },
  {
    name: "egress",
    machine: IDENTITY_MACHINE,
    title: "The sidecar's hop beside the ingress proxy",
    requires: () => LOAD,
    run: benchEgress,
  },
  {
    name: "propagation",
    machine: AUTHORITY_MACHINE,
    title: "From the commit of a revocation to denial on three proxies",
    requires: () => [REQUIREMENTS.taskset, REQUIREMENTS.nginx],
    run: benchPropagation,
  },
  {
    name: "fleet",
    machine: AUTHORITY_MACHINE,
    title: "A thousand followers of one authority",
    requires: () => [REQUIREMENTS.taskset],
    run: benchFleet,
  },
  {
    name: "following",
    machine: AUTHORITY_MACHINE,
    title: "What following the feed costs",
    requires: () => LOAD,
    run: benchFollowing,
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
  http2Plan(HTTP2),
  http2Plan(HTTP2_TLS),
  http2Plan(HTTP2_SERVICE),
  {
    name: "grpc",
    machine: HTTP2_MACHINE,
    title: "gRPC unary: latency added at half load",
    requires: () => HTTP2_LOAD,
    run: benchGrpc,
  },
  {
    name: "http2-idle",
    machine: HTTP2_MACHINE,
    title: "Ten thousand idle streams on a hundred connections",
    requires: () => [REQUIREMENTS.taskset],
    run: benchHttp2Idle,
  },
  {
    name: "http2-transfer",
    machine: HTTP2_MACHINE,
    title: "A gigabyte over one HTTP/2 stream, beside HTTP/1.1",
    requires: () => [REQUIREMENTS.taskset, REQUIREMENTS.h2load, REQUIREMENTS.nginx],
    run: benchHttp2Transfer,
  },
  {
    name: "http2-floods",
    machine: HTTP2_MACHINE,
    title: "Good requests while another connection floods",
    requires: () => HTTP2_LOAD,
    run: benchFloods,
  },
];

function http2Plan(section: Http2Section): SectionPlan {
  const { name, title, peers } = section;
  return {
    name,
    title,
    machine: HTTP2_MACHINE,
    peers,
    requires: ({ only }) => [...HTTP2_LOAD, ...requirementsOf(choosePeers(peers, only))],
    run: (site, options) => benchHttp2(section, site, options),
  };
}

function requirementsOf(peers: readonly Peer[]): readonly Requirement[] {
  return peers.flatMap((peer) => peer.requires);
}
