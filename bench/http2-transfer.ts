/**
 * A gigabyte over one HTTP/2 stream beside the same over HTTP/1.1, by the CPU that it costs: h2load
 * sends and takes it in both protocols, as fast as it goes. And once more to a reader that takes 50
 * MB/s, over HTTP/2, for the memory: flow control must reach the sender through the proxy.
 */
import { once } from "node:events";
import { openSync, closeSync, ftruncateSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { connect } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { sendBulk } from "./load/bulk-sender.ts";
import { claims, createSigner, signToken } from "./load/credentials.ts";
import { runH2Load } from "./load/h2load.ts";
import { readSlowly } from "./load/slow-reader.ts";
import type { ReadingPace } from "./load/slow-reader.ts";
import type { Cores } from "./machine/cores.ts";
import { groupResidentBytes, groupUsage } from "./machine/process-stat.ts";
import type { Program, Site } from "./machine/site.ts";
import { startSallyport } from "./peers/sallyport.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { WRITER_POLICIES } from "./peers/sallyport-config.ts";
import { figure, median, megabytes } from "./report.ts";
import type { Goal, Section } from "./report.ts";

export interface Http2TransferOptions {
  readonly cores: Cores;
  readonly rounds: number;
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

type Direction = "upload" | "download";
type Protocol = "HTTP/1.1" | "HTTP/2";
type Speed = "fast" | "slow reader";

interface Transfer {
  readonly runtime: Runtime;
  readonly direction: Direction;
  readonly protocol: Protocol;
  readonly speed: Speed;
}

interface TransferResult extends Transfer {
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuMs: number;
  readonly residentBeforeBytes: number;
  readonly residentMostBytes: number;
}

const GIGABYTE = 1_000_000_000;
/** What the slow reader takes of it: long enough for memory to show where it would go. */
const SLOW_BYTES = 250_000_000;
const QUICK_PART = 20;
/** About 50 MB/s. */
const PACE: ReadingPace = { pieceBytes: 1_000_000, pauseMs: 20 };
const SAMPLE_MS = 50;
/** By CPU for the same bytes. */
const GOAL_RATIO = 0.6;
const GOAL_GROWTH_MB = 50;
/** Of the bytes, before anything is measured, so that code is compiled and buffers are there. */
const WARM_UP_PART = 10;

const RUNTIMES = ["bun", "node"] as const;
const DIRECTIONS = ["download", "upload"] as const;
const PROTOCOLS = ["HTTP/1.1", "HTTP/2"] as const;

export async function benchHttp2Transfer(
  site: Site,
  options: Http2TransferOptions,
): Promise<Section> {
  const results: TransferResult[] = [];
  const part = options.quick ? QUICK_PART : 1;
  for (const runtime of RUNTIMES) {
    const bench = await openBench(site, runtime, options);
    for (const direction of DIRECTIONS) {
      for (const protocol of PROTOCOLS) {
        await bench.run(
          { runtime, direction, protocol, speed: "fast" },
          GIGABYTE / WARM_UP_PART / part,
        );
      }
      for (let round = 1; round <= options.rounds; round++) {
        for (const protocol of PROTOCOLS) {
          const what: Transfer = { runtime, direction, protocol, speed: "fast" };
          results.push(told(await bench.run(what, GIGABYTE / part), options));
        }
      }
      const slow: Transfer = { runtime, direction, protocol: "HTTP/2", speed: "slow reader" };
      results.push(told(await bench.run(slow, SLOW_BYTES / part), options));
    }
    await bench.close();
  }
  return report(results);
}

function told(result: TransferResult, options: Http2TransferOptions): TransferResult {
  const { runtime, direction, protocol, speed, seconds } = result;
  options.progress(
    `${runtime}, ${direction}, ${protocol}, ${speed}: ${figure(seconds)} s, ${figure(cpuOfGigabyte(result))} s of CPU a gigabyte, grew by ${megabytes(growth(result))} MB`,
  );
  return result;
}

function growth(result: TransferResult): number {
  return result.residentMostBytes - result.residentBeforeBytes;
}

/** Seconds. */
function cpuOfGigabyte({ cpuMs, bytes }: TransferResult): number {
  return (cpuMs / 1000) * (GIGABYTE / bytes);
}

interface Bench {
  run(what: Transfer, bytes: number): Promise<TransferResult>;
  close(): Promise<void>;
}

async function openBench(
  site: Site,
  runtime: Runtime,
  { cores }: Http2TransferOptions,
): Promise<Bench> {
  const service = await startBulkService();
  const signer = createSigner("RS256");
  const { program, port } = await startSallyport(site, {
    name: `http2-transfer-${runtime}`,
    core: cores.proxy,
    runtime,
    service: (service.address() as AddressInfo).port,
    signers: [signer],
    policies: WRITER_POLICIES,
  });
  const caller: Caller = { site, port, token: signToken(signer, claims(0)), core: cores.load };
  return {
    async run(what, bytes) {
      const fast = what.speed === "fast";
      const before = groupUsage(program.pid);
      const startedAt = performance.now();
      const residentMostBytes = await mostResident(program, () =>
        fast ? runFast(caller, what, bytes) : runSlowly(caller, what, bytes),
      );
      const seconds = (performance.now() - startedAt) / 1000;
      const cpuMs = groupUsage(program.pid).cpuMs - before.cpuMs;
      const residentBeforeBytes = before.residentBytes;
      return { ...what, bytes, seconds, cpuMs, residentBeforeBytes, residentMostBytes };
    },
    async close() {
      await program.stop();
      service.closeAllConnections();
      service.close();
    },
  };
}

async function mostResident(program: Program, run: () => Promise<void>): Promise<number> {
  let most = 0;
  const sample = (): void => {
    most = Math.max(most, groupResidentBytes(program.pid));
  };
  const sampling = setInterval(sample, SAMPLE_MS);
  try {
    await run();
  } finally {
    clearInterval(sampling);
  }
  sample();
  return most;
}

/**
 * `GET /billing/bulk/N` is answered with N bytes. Bytes that are posted are counted: to
 * `/billing/slow/N` as slowly as the pace says, elsewhere as fast as they come. It refuses a body of
 * another size than N.
 */
async function startBulkService(): Promise<Server> {
  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    const [, , kind, size] = (incoming.url ?? "").split("/");
    const bytes = Number(size);
    if (incoming.method !== "POST") {
      outgoing.setHeader("content-length", bytes);
      sendBulk(outgoing, bytes, () => {});
      return;
    }
    const pace = kind === "slow" ? PACE : { pieceBytes: Number.POSITIVE_INFINITY, pauseMs: 0 };
    readSlowly(incoming, pace, () => {}).then(
      (total) => outgoing.writeHead(total === bytes ? 200 : 422).end(String(total)),
      () => outgoing.destroy(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

interface Caller {
  readonly site: Site;
  readonly port: number;
  readonly token: string;
  readonly core: number;
}

/** With h2load, which speaks both protocols. */
async function runFast(caller: Caller, what: Transfer, bytes: number): Promise<void> {
  const { site, port, token, core } = caller;
  const single = ["-n1", "-c1", "-m1", "-t1", "-H", `authorization: Bearer ${token}`];
  const protocol = what.protocol === "HTTP/1.1" ? ["--h1"] : [];
  const body = what.direction === "upload" ? ["-d", emptyFile(site, bytes)] : [];
  const url = `http://127.0.0.1:${port}/billing/bulk/${bytes}`;
  const result = await runH2Load(site, [...single, ...protocol, ...body, url], { core });
  if (result.requests !== 1) throw new Error(`a ${what.direction} of ${bytes} bytes went wrong`);
}

/** Holds zeros and takes no room. */
function emptyFile(site: Site, bytes: number): string {
  const path = site.path(`zeros-${bytes}`);
  const file = openSync(path, "w");
  ftruncateSync(file, bytes);
  closeSync(file);
  return path;
}

async function runSlowly(caller: Caller, what: Transfer, bytes: number): Promise<void> {
  const session = connect(`http://127.0.0.1:${caller.port}`);
  session.on("error", () => {});
  try {
    if (what.direction === "download") await downloadSlowly(session, caller, bytes);
    else await uploadToSlow(session, caller, bytes);
  } finally {
    session.close();
  }
}

async function downloadSlowly(
  session: ClientHttp2Session,
  { token }: Caller,
  bytes: number,
): Promise<void> {
  const stream = session.request({
    ":path": `/billing/bulk/${bytes}`,
    authorization: `Bearer ${token}`,
  });
  await assertGood(stream);
  const total = await readSlowly(stream, PACE, () => {});
  if (total !== bytes) throw new Error(`${total} of ${bytes} bytes arrived`);
}

async function uploadToSlow(
  session: ClientHttp2Session,
  { token }: Caller,
  bytes: number,
): Promise<void> {
  const stream = session.request({
    ":method": "POST",
    ":path": `/billing/slow/${bytes}`,
    "content-length": String(bytes),
    authorization: `Bearer ${token}`,
  });
  const answered = assertGood(stream);
  sendBulk(stream, bytes, () => {});
  await answered;
  stream.resume();
}

async function assertGood(stream: ClientHttp2Stream): Promise<void> {
  const [headers] = (await once(stream, "response")) as [{ readonly ":status"?: number }];
  if (headers[":status"] !== 200) throw new Error(`answered with ${headers[":status"]}`);
}

function report(results: readonly TransferResult[]): Section {
  const those = (what: Transfer): TransferResult[] =>
    results.filter((one) =>
      (["runtime", "direction", "protocol", "speed"] as const).every(
        (key) => one[key] === what[key],
      ),
    );
  const kinds: Transfer[] = RUNTIMES.flatMap((runtime) =>
    DIRECTIONS.flatMap((direction) => [
      ...PROTOCOLS.map((protocol) => ({ runtime, direction, protocol, speed: "fast" as const })),
      { runtime, direction, protocol: "HTTP/2" as const, speed: "slow reader" as const },
    ]),
  );
  return {
    name: "http2-transfer",
    title: "A gigabyte over one HTTP/2 stream, beside HTTP/1.1",
    table: {
      columns: [
        "transfer",
        "MB",
        "MB/s",
        "CPU s/GB",
        "to HTTP/1.1, by CPU",
        "resident MB before",
        "most",
      ],
      rows: kinds.map((kind) => {
        const some = those(kind);
        const of = (read: (one: TransferResult) => number): number => median(some.map(read));
        return [
          `${kind.direction}, ${kind.protocol}, ${kind.speed}, ${kind.runtime}`,
          megabytes(of(({ bytes }) => bytes)),
          figure(of(({ bytes, seconds }) => bytes / seconds / 1e6)),
          figure(of(cpuOfGigabyte)),
          kind.speed === "fast" ? `${figure(cpuRatio(those, kind))} ×` : "",
          megabytes(of(({ residentBeforeBytes }) => residentBeforeBytes)),
          megabytes(Math.max(...some.map(({ residentMostBytes }) => residentMostBytes))),
        ];
      }),
    },
    goals: kinds.filter(({ protocol }) => protocol === "HTTP/2").map((kind) => goalOf(kind, those)),
    data: results,
  };
}

/** How much of HTTP/1.1's cost: 1 where a gigabyte costs as much, 0.5 where it costs twice that. Within each round. */
function cpuRatio(those: (what: Transfer) => TransferResult[], kind: Transfer): number {
  const others = those({ ...kind, protocol: "HTTP/1.1" });
  const ratios = those(kind).map((one, round) => {
    const other = others[round];
    return other === undefined ? Number.NaN : cpuOfGigabyte(other) / cpuOfGigabyte(one);
  });
  return median(ratios);
}

function goalOf(kind: Transfer, those: (what: Transfer) => TransferResult[]): Goal {
  const name = `sallyport-${kind.runtime}, ${kind.direction}`;
  if (kind.speed === "fast") {
    return {
      what: `${name}: one HTTP/2 stream to HTTP/1.1, by CPU`,
      unit: " ×",
      measured: cpuRatio(those, kind),
      bound: { atLeast: GOAL_RATIO },
    };
  }
  return {
    what: `${name} to a slow reader over HTTP/2: resident memory grows by`,
    unit: " MB",
    measured: Math.max(...those(kind).map(growth)) / 1e6,
    bound: { atMost: GOAL_GROWTH_MB },
  };
}
