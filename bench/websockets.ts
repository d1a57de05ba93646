/**
 * A thousand WebSockets that echo, for as many messages as ten minutes bring at one a second each:
 * what is open must cost memory once, and what goes through must leave none behind. Counted in
 * messages and not by the clock, so that it takes as long as the machine needs.
 */
import { startEchoService, WebSocketClient } from "../examples/websocket-service.ts";
import { claims, createSigner, signToken } from "./load/credentials.ts";
import type { Cores } from "./machine/cores.ts";
import { groupResidentBytes, groupUsage } from "./machine/process-stat.ts";
import type { Program, Site } from "./machine/site.ts";
import { startSallyport } from "./peers/sallyport.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { figure, median, megabytes } from "./report.ts";
import type { Section } from "./report.ts";

export interface WebSocketOptions {
  readonly cores: Cores;
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

export interface WebSocketResult {
  readonly runtime: Runtime;
  readonly sockets: number;
  readonly messages: number;
  readonly seconds: number;
  /** Before the first connection, after a warm-up. */
  readonly residentBeforeBytes: number;
  /** Median within each of the ten minutes' worth. */
  readonly residentBytes: readonly number[];
  readonly cpuMs: number;
}

const SOCKETS = 1000;
const MINUTES = 10;
const PER_MINUTE = 60;
const QUICK = { sockets: 100, perMinute: 6 };
const SAMPLE_MS = 50;
/** Of 0 at the end of the second minute's worth: until then code is compiled and buffers grow. */
const GROWTH_GOAL_MB = 5;
/** As a chat or a ticker sends it. */
const MESSAGE = "x".repeat(120);

export async function benchWebSockets(site: Site, options: WebSocketOptions): Promise<Section> {
  const results: WebSocketResult[] = [];
  for (const runtime of ["bun", "node"] as const) {
    const result = await measure(site, { ...options, runtime });
    options.progress(
      `${runtime}: ${result.messages} messages in ${figure(result.seconds)} s, grew by ${megabytes(growth(result))} MB`,
    );
    results.push(result);
  }
  return {
    name: "websockets",
    title: "A thousand WebSockets, ten minutes' worth of messages",
    table: {
      columns: [
        "runtime",
        "sockets",
        "messages",
        "µs of CPU a message",
        "resident MB before",
        "minute 1",
        "2",
        "5",
        "10",
      ],
      rows: results.map((result) => [
        result.runtime,
        figure(result.sockets),
        figure(result.messages),
        figure((result.cpuMs * 1000) / result.messages),
        megabytes(result.residentBeforeBytes),
        ...[0, 1, 4, 9].map((minute) => megabytes(result.residentBytes[minute] ?? 0)),
      ]),
    },
    goals: results.map((result) => ({
      what: `sallyport-${result.runtime}: resident memory grows from minute 2 to 10 by`,
      unit: " MB",
      measured: growth(result) / 1e6,
      bound: { atMost: GROWTH_GOAL_MB },
    })),
    data: results,
  };
}

function growth({ residentBytes }: WebSocketResult): number {
  return (residentBytes.at(-1) ?? 0) - (residentBytes[1] ?? 0);
}

async function measure(
  site: Site,
  options: WebSocketOptions & { readonly runtime: Runtime },
): Promise<WebSocketResult> {
  const { runtime, quick } = options;
  const sockets = quick ? QUICK.sockets : SOCKETS;
  const perMinute = quick ? QUICK.perMinute : PER_MINUTE;
  const service = await startEchoService();
  const signer = createSigner("RS256");
  const { program, port } = await startSallyport(site, {
    name: `websockets-${runtime}`,
    core: options.cores.proxy,
    runtime,
    service: Number(service.address.split(":")[1]),
    signers: [signer],
    routes: [
      {
        name: "billing",
        path: "/billing/*",
        options: "upgrades: [websocket], lifetime: none, idleTimeout: 1h",
      },
    ],
  });
  const fields = [`Authorization: Bearer ${signToken(signer, claims(0))}`];
  const open = (): Promise<WebSocketClient> =>
    WebSocketClient.open(`127.0.0.1:${port}`, "/billing/socket", fields);
  const first = await open();
  for (let count = 0; count < 200; count++) await first.echo(MESSAGE);
  const residentBeforeBytes = groupResidentBytes(program.pid);
  const clients = [first];
  while (clients.length < sockets) clients.push(await open());
  const began = performance.now();
  const cpuBefore = groupUsage(program.pid).cpuMs;
  const residentBytes: number[] = [];
  for (let minute = 0; minute < MINUTES; minute++) {
    const samples = await sampled(program, () => echoAll(clients, perMinute));
    residentBytes.push(median(samples));
  }
  const result: WebSocketResult = {
    runtime,
    sockets,
    messages: sockets * perMinute * MINUTES,
    seconds: (performance.now() - began) / 1000,
    residentBeforeBytes,
    residentBytes,
    cpuMs: groupUsage(program.pid).cpuMs - cpuBefore,
  };
  for (const client of clients) client.socket.destroy();
  await program.stop();
  await service.close();
  return result;
}

/** Each sends its messages one after the other, all at the same time. */
async function echoAll(clients: readonly WebSocketClient[], messages: number): Promise<void> {
  await Promise.all(
    clients.map(async (client) => {
      for (let count = 0; count < messages; count++) {
        const answer = await client.echo(MESSAGE);
        if (answer !== MESSAGE) throw new Error("a message came back as another one");
      }
    }),
  );
}

/** Resident bytes of the program while `run` runs, at least once. */
async function sampled(program: Program, run: () => Promise<void>): Promise<number[]> {
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(groupResidentBytes(program.pid)), SAMPLE_MS);
  try {
    await run();
  } finally {
    clearInterval(timer);
  }
  program.assertAlive();
  return [...samples, groupResidentBytes(program.pid)];
}
