/**
 * Ten thousand streams on a hundred connections, each answered with a head and a first piece, as a
 * watch or a server stream of gRPC is, and then at rest: what each of them costs in memory. The
 * service is spoken to over HTTP/2 as well, so that no stream has a connection of its own anywhere.
 */
import { once } from "node:events";
import { createServer } from "node:http2";
import type { Http2Server, ServerHttp2Stream } from "node:http2";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { claims, createSigner, signToken } from "./load/credentials.ts";
import {
  FLAG,
  FRAME,
  FrameSplitter,
  fieldBlock,
  frame,
  opening,
  requestFields,
} from "./load/http2-frames.ts";
import type { Cores } from "./machine/cores.ts";
import { groupResidentBytes } from "./machine/process-stat.ts";
import type { Site } from "./machine/site.ts";
import { startSallyport } from "./peers/sallyport.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { figure, megabytes } from "./report.ts";
import type { Section } from "./report.ts";

export interface Http2IdleOptions {
  readonly cores: Cores;
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

interface Http2IdleResult {
  readonly runtime: Runtime;
  readonly connections: number;
  readonly streams: number;
  readonly residentBeforeBytes: number;
  readonly residentBytes: number;
}

const CONNECTIONS = 100;
const QUICK_CONNECTIONS = 10;
/** On each connection: as many as a listener allows unless told otherwise. */
const STREAMS = 100;
/** Connections before, with as many streams, so that code is compiled and pools are there. */
const WARM_UP = 10;
/** Opened at once. */
const AT_ONCE = 10;
const DEADLINE_MS = 20_000;

export async function benchHttp2Idle(site: Site, options: Http2IdleOptions): Promise<Section> {
  const results: Http2IdleResult[] = [];
  for (const runtime of ["bun", "node"] as const) {
    const result = await measure(site, runtime, options);
    options.progress(`${runtime}: ${figure(eachKB(result))} KB for each stream`);
    results.push(result);
  }
  return {
    name: "http2-idle",
    title: "Ten thousand idle streams on a hundred connections",
    table: {
      columns: [
        "runtime",
        "connections",
        "streams",
        "resident MB before",
        "with them",
        "KB each stream",
      ],
      rows: results.map((result) => [
        `Sallyport on ${result.runtime}`,
        figure(result.connections),
        figure(result.streams),
        megabytes(result.residentBeforeBytes),
        megabytes(result.residentBytes),
        figure(eachKB(result)),
      ]),
    },
    goals: [],
    data: results,
  };
}

function eachKB({ residentBytes, residentBeforeBytes, streams }: Http2IdleResult): number {
  return (residentBytes - residentBeforeBytes) / streams / 1000;
}

async function measure(
  site: Site,
  runtime: Runtime,
  options: Http2IdleOptions,
): Promise<Http2IdleResult> {
  const connections = options.quick ? QUICK_CONNECTIONS : CONNECTIONS;
  const service = await startWatches();
  const signer = createSigner("RS256");
  const { program, port } = await startSallyport(site, {
    name: `http2-idle-${runtime}`,
    core: options.cores.proxy,
    runtime,
    service: `h2c://127.0.0.1:${(service.address() as AddressInfo).port}`,
    signers: [signer],
    routes: [{ name: "watches", path: "/billing/*", options: "lifetime: none, idleTimeout: 1h" }],
  });
  const caller = { port, token: signToken(signer, claims(0)) };
  for (const socket of await openAll(caller, WARM_UP)) socket.destroy();
  const residentBeforeBytes = groupResidentBytes(program.pid);
  const sockets = await openAll(caller, connections);
  const residentBytes = groupResidentBytes(program.pid);
  if (sockets.some((socket) => socket.destroyed)) throw new Error("a connection did not stay open");
  for (const socket of sockets) socket.destroy();
  await program.stop();
  service.close();
  const streams = connections * STREAMS;
  return { runtime, connections, streams, residentBeforeBytes, residentBytes };
}

/** Answers each request with a head and a first piece, and leaves it open. */
async function startWatches(): Promise<Http2Server> {
  const server = createServer({ settings: { maxConcurrentStreams: STREAMS } });
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200 });
    stream.write("first");
  });
  server.on("sessionError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

interface Caller {
  readonly port: number;
  readonly token: string;
}

async function openAll(caller: Caller, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const some = Math.min(AT_ONCE, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: some }, () => openStreams(caller)))));
  }
  return sockets;
}

/** A connection with all its streams; resolves when the first piece has come on each. */
async function openStreams({ port, token }: Caller): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const request = { method: "GET", path: "/billing/watch", port };
  const block = fieldBlock(requestFields(request, ["authorization", `Bearer ${token}`]));
  const flags = FLAG.endHeaders | FLAG.endStream;
  const requests = Array.from({ length: STREAMS }, (_, index) =>
    frame({ type: FRAME.headers, flags, stream: 2 * index + 1 }, block),
  );
  const answered = new Set<number>();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`${answered.size} of ${STREAMS} streams were answered`));
    }, DEADLINE_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const splitter = new FrameSplitter(({ type, stream }) => {
      if (type === FRAME.data && answered.add(stream).size === STREAMS) done();
      if (type === FRAME.rstStream) reject(new Error("a stream was reset"));
    });
    socket.on("data", (chunk: Buffer) => splitter.read(chunk));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed")));
    socket.write(Buffer.concat([opening(), ...requests]));
  });
  return socket;
}
