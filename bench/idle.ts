/** Ten thousand callers that have asked once and now rest: what each of them costs in memory. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { claims, createSigner, signToken } from "./load/credentials.ts";
import { startService } from "./load/service.ts";
import { answerEnd, answerStatus } from "./load/token-client.ts";
import type { Cores } from "./machine/cores.ts";
import { groupResidentBytes } from "./machine/process-stat.ts";
import type { Site } from "./machine/site.ts";
import { type Runtime, startSallyport } from "./peers/sallyport.ts";
import { figure, megabytes } from "./report.ts";
import type { Section } from "./report.ts";

export interface IdleOptions {
  readonly cores: Cores;
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

interface IdleResult {
  readonly runtime: Runtime;
  readonly connections: number;
  readonly residentBeforeBytes: number;
  readonly residentBytes: number;
}

const CONNECTIONS = 10_000;
const QUICK_CONNECTIONS = 500;
/** Opened at once; more would overrun the queue of connections that wait to be accepted. */
const AT_ONCE = 100;
/** Connections before, so that code is compiled and pools are there. */
const WARM_UP = 500;
const GOAL_KB = 8;
const LIMITS = "      connections: 20000\n      idleTimeout: 30m";

export async function benchIdle(site: Site, options: IdleOptions): Promise<Section> {
  const results: IdleResult[] = [];
  for (const runtime of ["bun", "node"] as const) {
    const result = await measure(site, runtime, options);
    options.progress(`${runtime}: ${figure(eachKB(result))} KB for each connection`);
    results.push(result);
  }
  return {
    name: "idle",
    title: "Ten thousand idle connections",
    table: {
      columns: ["runtime", "connections", "resident MB before", "with them", "KB each"],
      rows: results.map((result) => [
        `Sallyport on ${result.runtime}`,
        figure(result.connections),
        megabytes(result.residentBeforeBytes),
        megabytes(result.residentBytes),
        figure(eachKB(result)),
      ]),
    },
    goals: results.map((result) => ({
      what: `sallyport-${result.runtime}, resident memory of an idle connection`,
      unit: " KB",
      measured: eachKB(result),
      bound: { atMost: GOAL_KB },
    })),
    data: results,
  };
}

function eachKB({ residentBytes, residentBeforeBytes, connections }: IdleResult): number {
  return (residentBytes - residentBeforeBytes) / connections / 1000;
}

async function measure(site: Site, runtime: Runtime, options: IdleOptions): Promise<IdleResult> {
  const connections = options.quick ? QUICK_CONNECTIONS : CONNECTIONS;
  const service = await startService(site, options.cores.load);
  const signer = createSigner("RS256");
  const { program, port } = await startSallyport(site, {
    name: `idle-${runtime}`,
    core: options.cores.proxy,
    runtime,
    service: service.port,
    signers: [signer],
    limits: LIMITS,
  });
  const request =
    `GET /billing/records/1 HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n` +
    `authorization: Bearer ${signToken(signer, claims(0))}\r\n\r\n`;
  for (const socket of await open(port, request, WARM_UP)) socket.destroy();
  const residentBeforeBytes = groupResidentBytes(program.pid);
  const sockets = await open(port, request, connections);
  const residentBytes = groupResidentBytes(program.pid);
  if (sockets.some((socket) => socket.destroyed)) throw new Error("a connection did not stay open");
  for (const socket of sockets) socket.destroy();
  await Promise.all([program.stop(), service.program.stop()]);
  return { runtime, connections, residentBeforeBytes, residentBytes };
}

/** Opens connections, each with one answered request. */
async function open(port: number, request: string, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const some = Math.min(AT_ONCE, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: some }, () => ask(port, request)))));
  }
  return sockets;
}

async function ask(port: number, request: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(request);
  let text = "";
  while (answerEnd(text) === undefined) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    text += chunk.toString("latin1");
  }
  if (answerStatus(text) !== 200) throw new Error(`answered with ${answerStatus(text)}`);
  return socket;
}
