/**
 * From the commit of a revocation to its effect on each of three proxies under load: when the first
 * request is denied there, and when an open WebSocket is closed.
 *
 * Authorities and proxies share one core, load, service and harness the other: what a real fleet has
 * many machines for happens here one after the other, so times are longer than there.
 */
import { Agent, request } from "node:http";
import { startEchoService, WebSocketClient } from "../examples/websocket-service.ts";
import { startPostgres } from "../test/postgres.ts";
import { AUDIENCE, claims, createSigner, ISSUER, signToken } from "./load/credentials.ts";
import type { Signer } from "./load/credentials.ts";
import { percentile } from "./load/load.ts";
import { runPaced } from "./load/paced-client.ts";
import { startService } from "./load/service.ts";
import type { Cores } from "./machine/cores.ts";
import type { Site } from "./machine/site.ts";
import { startCluster } from "./peers/cluster.ts";
import type { Cluster } from "./peers/cluster.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { figure } from "./report.ts";
import type { Goal, Section } from "./report.ts";

export interface PropagationOptions {
  readonly cores: Cores;
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

const PROXIES = 3;
const REVOCATIONS = 200;
const QUICK_REVOCATIONS = 20;
/** Requests a second to each proxy: together a third of what one core serves. */
const PER_SECOND = 1500;
const LOAD_SECONDS = 2;
const GOAL_MS = 1000;
/** A revocation that is not there by then is a failure, not a figure. */
const DEADLINE_MS = 20_000;

interface Setting {
  readonly runtime: Runtime;
  readonly store: "SQLite" | "Postgres";
  readonly authorities: number;
}

const SETTINGS: readonly Setting[] = [
  { runtime: "bun", store: "SQLite", authorities: 1 },
  { runtime: "node", store: "SQLite", authorities: 1 },
  { runtime: "bun", store: "Postgres", authorities: 2 },
  { runtime: "node", store: "Postgres", authorities: 2 },
];

interface Row extends Setting {
  /** Milliseconds from the commit to the first denial, of each proxy for each revocation. */
  readonly denied: Spread;
  /** The same for the last proxy of each revocation. */
  readonly everywhere: Spread;
  /** To the end of an open WebSocket, of each proxy for each revocation. */
  readonly closed: Spread;
  readonly revocations: number;
  readonly loadPerSecond: number;
  /** Requests of the load that were not answered with 200. */
  readonly failed: number;
}

interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

export async function benchPropagation(site: Site, options: PropagationOptions): Promise<Section> {
  const rows: Row[] = [];
  for (const setting of SETTINGS) {
    const row = await measure(site, setting, options);
    if (row !== undefined) rows.push(row);
  }
  return {
    name: "propagation",
    title: "From the commit of a revocation to denial on three proxies",
    table: {
      columns: [
        "authorities, store, runtime",
        "load/s",
        "failed",
        "revocations",
        "denied, p50 ms",
        "p99",
        "on all three, p50 ms",
        "p99",
        "most",
        "stream closed, p50 ms",
        "p99",
      ],
      rows: rows.map((row) => [
        nameOf(row),
        figure(row.loadPerSecond),
        figure(row.failed),
        figure(row.revocations),
        figure(row.denied.p50),
        figure(row.denied.p99),
        figure(row.everywhere.p50),
        figure(row.everywhere.p99),
        figure(row.everywhere.most),
        figure(row.closed.p50),
        figure(row.closed.p99),
      ]),
    },
    goals: rows.flatMap(goalsOf),
    data: rows,
  };
}

function nameOf({ authorities, store, runtime }: Setting): string {
  return `${authorities} on ${store}, ${runtime}`;
}

function goalsOf(row: Row): Goal[] {
  const goal = (what: string, measured: number): Goal => ({
    what: `${nameOf(row)}: ${what}, p99`,
    unit: " ms",
    measured,
    bound: { atMost: GOAL_MS },
  });
  return [
    goal("denied on every one of three proxies", row.everywhere.p99),
    goal("an open stream is closed", row.closed.p99),
  ];
}

/** Undefined where the machine has no Postgres. */
async function measure(
  site: Site,
  setting: Setting,
  options: PropagationOptions,
): Promise<Row | undefined> {
  const database = setting.store === "Postgres" ? await startPostgres() : undefined;
  if (setting.store === "Postgres" && database === undefined) {
    options.progress("no Postgres on this machine: its rows are left out");
    return undefined;
  }
  const service = await startService(site, options.cores.load);
  const chat = await startEchoService();
  const signer = createSigner("ES256");
  const cluster = await startCluster(site, {
    name: `propagation-${setting.store}-${setting.runtime}`,
    runtime: setting.runtime,
    cores: { authorities: options.cores.proxy, proxies: options.cores.proxy },
    store: database?.url,
    authorities: setting.authorities,
    proxies: PROXIES,
    signers: [signer],
    published: published(service.port, chat.address),
    policies: '@id("workloads") permit (principal is Sallyport::Workload, action, resource);',
  });
  const load = startLoad(
    cluster.proxies.map(({ port }) => port),
    signer,
  );
  try {
    const count = options.quick ? QUICK_REVOCATIONS : REVOCATIONS;
    const times = await revokeAll(cluster, signer, count);
    const { perSecond, failed } = await load.stop();
    const row = { ...setting, ...times, revocations: count, loadPerSecond: perSecond, failed };
    options.progress(`${nameOf(row)}: on all three after ${figure(row.everywhere.p99)} ms (p99)`);
    return row;
  } finally {
    await load.stop();
    await cluster.stop();
    await service.program.stop();
    await chat.close();
    await database?.end();
  }
}

function published(service: number, chat: string): string {
  return `authenticators:
  corp:
    type: jwt
    issuer: ${ISSUER}
    jwks: file:jwks.json
    audience: [${AUDIENCE}]
    algorithms: [ES256]
    principal: { kind: workload, subject: sub }
services:
  billing: { endpoints: ["http://127.0.0.1:${service}"] }
  chat: { endpoints: ["http://${chat}"] }
routes:
  - { name: billing, path: "/billing/*", service: billing, authenticate: [corp] }
  - { name: chat, path: /chat, service: chat, authenticate: [corp], upgrades: [websocket], lifetime: none }
policies: { enforce: [policies] }
`;
}

/** One after the other, each on the next authority. */
async function revokeAll(
  cluster: Cluster,
  signer: Signer,
  count: number,
): Promise<Pick<Row, "denied" | "everywhere" | "closed">> {
  const denied: number[] = [];
  const everywhere: number[] = [];
  const closed: number[] = [];
  // The first ones are of code that is not compiled yet, on connections that are new.
  for (let index = -5; index < count; index++) {
    const seen = await revokeOne(cluster, signer, index + 1000);
    if (index < 0) continue;
    denied.push(...seen.denied);
    everywhere.push(Math.max(...seen.denied));
    closed.push(...seen.closed);
  }
  return { denied: spread(denied), everywhere: spread(everywhere), closed: spread(closed) };
}

interface Seen {
  /** Milliseconds from the commit, for each proxy. */
  readonly denied: readonly number[];
  readonly closed: readonly number[];
}

async function revokeOne(cluster: Cluster, signer: Signer, index: number): Promise<Seen> {
  const { jti, sub } = claims(index);
  const token = signToken(signer, { ...claims(index), iat: Math.floor(Date.now() / 1000) - 60 });
  const target =
    index % 2 === 0
      ? { kind: "id", authenticator: "corp", id: jti }
      : { kind: "subject", authenticator: "corp", subject: sub };
  const watches = await Promise.all(cluster.proxies.map(({ port }) => watch(port, token)));
  const authority = cluster.authorities[index % cluster.authorities.length];
  if (authority === undefined) throw new TypeError("a cluster has an authority");
  const committedMs = await authority.revoke(target);
  // The commit is known to the millisecond; half of one is what it was late on average.
  const since = (ms: number): number => Math.max(0, ms - committedMs - 0.5);
  const ends = await Promise.all(watches.map(({ ended }) => ended));
  return {
    denied: ends.map(({ deniedMs }) => since(deniedMs)),
    closed: ends.map(({ closedMs }) => since(closedMs)),
  };
}

/** A caller that asks again and again, and one that holds a WebSocket; resolves when both are let in. */
async function watch(
  port: number,
  token: string,
): Promise<{ readonly ended: Promise<{ deniedMs: number; closedMs: number }> }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const socket = await WebSocketClient.open(`127.0.0.1:${port}`, "/chat", [
    `Authorization: Bearer ${token}`,
  ]);
  const first = await ask(port, token, agent);
  if (first !== 200) throw new Error(`a good token got ${first}`);
  const closed = socket.ended.then((end) => {
    if (end?.code !== 1008) throw new Error(`the WebSocket was not closed for it: ${end?.reason}`);
    return nowMs();
  });
  const denied = untilDenied(port, token, agent);
  return {
    ended: Promise.all([denied, closed]).then(([deniedMs, closedMs]) => ({ deniedMs, closedMs })),
  };
}

async function untilDenied(port: number, token: string, agent: Agent): Promise<number> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const status = await ask(port, token, agent);
    if (status === 401) break;
    if (status !== 200) throw new Error(`neither let in nor denied: ${status}`);
    if (performance.now() > deadline) throw new Error("a revocation did not arrive");
  }
  agent.destroy();
  return nowMs();
}

function ask(port: number, token: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: "127.0.0.1",
      port,
      path: "/billing/records/1",
      agent,
      headers: { authorization: `Bearer ${token}` },
    });
    outgoing.once("error", reject);
    outgoing.once("response", (incoming) => {
      incoming.once("error", reject);
      incoming.once("end", () => resolve(incoming.statusCode ?? 0));
      incoming.resume();
    });
    outgoing.end();
  });
}

/** Of the wall clock, finer than a millisecond. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function startLoad(
  ports: readonly number[],
  signer: Signer,
): { stop(): Promise<{ readonly perSecond: number; readonly failed: number }> } {
  const tokens = Array.from({ length: 50 }, (_, caller) => signToken(signer, claims(caller)));
  const sum = { over: false, failed: 0, good: 0 };
  const began = performance.now();
  const keep = async (port: number): Promise<void> => {
    const requests = tokens.map((token, index) => ({
      method: "GET",
      path: `/billing/records/${index}`,
      fields: ["authorization", `Bearer ${token}`],
    }));
    while (!sum.over) {
      const run = {
        port,
        requests,
        perSecond: PER_SECOND,
        warmUpSeconds: 0,
        seconds: LOAD_SECONDS,
      };
      const result = await runPaced(run);
      sum.failed += result.bad;
      sum.good += result.good;
    }
  };
  const all = Promise.all(ports.map(keep));
  return {
    async stop() {
      sum.over = true;
      await all;
      const seconds = (performance.now() - began) / 1000;
      return { perSecond: sum.good / seconds, failed: sum.failed };
    },
  };
}

function spread(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values);
  return {
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    most: percentile(sorted, 1),
  };
}
