/**
 * A gigabyte up and a gigabyte down through the proxy, to a reader that is slower than the sender:
 * back-pressure must reach the sender, and memory must not hold the difference.
 */
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { sendBulk } from "./load/bulk-sender.ts";
import { claims, createSigner, signToken } from "./load/credentials.ts";
import type { ReadingPace } from "./load/slow-reader.ts";
import { readSlowly } from "./load/slow-reader.ts";
import type { Cores } from "./machine/cores.ts";
import { groupResidentBytes } from "./machine/process-stat.ts";
import type { Site } from "./machine/site.ts";
import { startSallyport } from "./peers/sallyport.ts";
import { WRITER_POLICIES } from "./peers/sallyport-config.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { figure, megabytes } from "./report.ts";
import type { Section } from "./report.ts";

export interface TransferOptions {
  readonly cores: Cores;
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

export type Direction = "upload" | "download";

export interface TransferResult {
  readonly runtime: Runtime;
  readonly direction: Direction;
  readonly bytes: number;
  readonly seconds: number;
  readonly residentBeforeBytes: number;
  readonly residentMostBytes: number;
  /** Most that the sender was ahead of the reader: kernel buffers on both ways, and the proxy's own. */
  readonly aheadMostBytes: number;
}

const GIGABYTE = 1_000_000_000;
const QUICK_BYTES = 64_000_000;
/** About 50 MB/s, a tenth of what loopback carries: a gigabyte takes some twenty seconds. */
const PACE: ReadingPace = { pieceBytes: 1_000_000, pauseMs: 20 };
const SAMPLE_MS = 50;
const GROWTH_GOAL_MB = 50;
/** Requests before, so that code is compiled and buffers are there. */
const WARM_UP_REQUESTS = 200;

export async function benchTransfer(site: Site, options: TransferOptions): Promise<Section> {
  const results: TransferResult[] = [];
  for (const runtime of ["bun", "node"] as const) {
    for (const direction of ["upload", "download"] as const) {
      const result = await measure(site, { ...options, runtime, direction });
      options.progress(
        `${runtime} ${direction}: ${figure(result.seconds)} s, grew by ${megabytes(growth(result))} MB`,
      );
      results.push(result);
    }
  }
  return {
    name: "transfer",
    title: "A gigabyte to a slow reader",
    table: {
      columns: [
        "transfer",
        "MB",
        "seconds",
        "resident MB before",
        "most",
        "sender ahead, MB at most",
      ],
      rows: results.map((result) => [
        `${result.direction}, ${result.runtime}`,
        megabytes(result.bytes),
        figure(result.seconds),
        megabytes(result.residentBeforeBytes),
        megabytes(result.residentMostBytes),
        megabytes(result.aheadMostBytes),
      ]),
    },
    goals: results.map((result) => ({
      what: `sallyport-${result.runtime}, ${result.direction}: resident memory grows by`,
      unit: " MB",
      measured: growth(result) / 1e6,
      bound: { atMost: GROWTH_GOAL_MB },
    })),
    data: results,
  };
}

function growth(result: TransferResult): number {
  return result.residentMostBytes - result.residentBeforeBytes;
}

/** How far sender and reader are; the difference is on its way. */
interface Progress {
  sent: number;
  read: number;
}

async function measure(
  site: Site,
  options: TransferOptions & { readonly runtime: Runtime; readonly direction: Direction },
): Promise<TransferResult> {
  const { runtime, direction } = options;
  const bytes = options.quick ? QUICK_BYTES : GIGABYTE;
  const progress: Progress = { sent: 0, read: 0 };
  const service = await startBulkService(bytes, progress);
  const signer = createSigner("RS256");
  const started = await startSallyport(site, {
    name: `transfer-${direction}-${runtime}`,
    core: options.cores.proxy,
    runtime,
    service: (service.address() as AddressInfo).port,
    signers: [signer],
    policies: WRITER_POLICIES,
  });
  const caller = { port: started.port, token: signToken(signer, claims(0)) };
  for (let count = 0; count < WARM_UP_REQUESTS; count++) await fetchSmall(caller);

  const { pid: group } = started.program;
  const residentBeforeBytes = groupResidentBytes(group);
  let residentMostBytes = residentBeforeBytes;
  let aheadMostBytes = 0;
  const sampling = setInterval(() => {
    residentMostBytes = Math.max(residentMostBytes, groupResidentBytes(group));
    aheadMostBytes = Math.max(aheadMostBytes, progress.sent - progress.read);
  }, SAMPLE_MS);
  const startedAt = performance.now();
  try {
    await (direction === "upload" ? upload : download)(caller, bytes, progress);
  } finally {
    clearInterval(sampling);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  if (progress.read !== bytes) throw new Error(`${progress.read} of ${bytes} bytes arrived`);
  await started.program.stop();
  service.closeAllConnections();
  service.close();
  return {
    runtime,
    direction,
    bytes,
    seconds,
    residentBeforeBytes,
    residentMostBytes,
    aheadMostBytes,
  };
}

/** Takes uploads slowly, sends downloads fast, and answers anything else with a word. */
async function startBulkService(bytes: number, progress: Progress): Promise<Server> {
  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (incoming.method === "POST") {
      readSlowly(incoming, PACE, (size) => (progress.read += size)).then(
        (total) => outgoing.end(String(total)),
        () => outgoing.destroy(),
      );
    } else if (incoming.url === "/billing/bulk") {
      outgoing.setHeader("content-length", bytes);
      sendBulk(outgoing, bytes, (size) => (progress.sent += size));
    } else {
      outgoing.end("small");
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

interface Caller {
  readonly port: number;
  readonly token: string;
}

async function upload(caller: Caller, bytes: number, progress: Progress): Promise<void> {
  const outgoing = open(caller, "POST", { "content-length": String(bytes) });
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  sendBulk(outgoing, bytes, (size) => (progress.sent += size));
  const [incoming] = await answered;
  assertGood(incoming);
  incoming.resume();
  await once(incoming, "end");
}

async function download(caller: Caller, _bytes: number, progress: Progress): Promise<void> {
  const outgoing = open(caller, "GET", {});
  outgoing.end();
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  assertGood(incoming);
  await readSlowly(incoming, PACE, (size) => (progress.read += size));
}

async function fetchSmall(caller: Caller): Promise<void> {
  const outgoing = open({ ...caller }, "GET", {}, "/billing/small");
  outgoing.end();
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  assertGood(incoming);
  incoming.resume();
  await once(incoming, "end");
}

function open(
  caller: Caller,
  method: string,
  headers: Readonly<Record<string, string>>,
  path = "/billing/bulk",
): ReturnType<typeof request> {
  return request({
    host: "127.0.0.1",
    port: caller.port,
    path,
    method,
    agent: false,
    headers: { authorization: `Bearer ${caller.token}`, ...headers },
  });
}

function assertGood(incoming: IncomingMessage): void {
  if (incoming.statusCode !== 200) throw new Error(`answered with ${incoming.statusCode}`);
}
