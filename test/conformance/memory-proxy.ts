/**
 * The engine as a bare pass-through between sockets that are memory, with a clock that the test
 * turns: what arrives is cut exactly where a test says, which real sockets do not promise.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { Deadlines } from "../../src/http/deadlines.ts";
import type { Exchange, ForwardOutcome } from "../../src/http/exchange.ts";
import { listenerSchema } from "../../src/http/listener-options.ts";
import { connectionLimits } from "../../src/http/listener.ts";
import type { ConnectionContext } from "../../src/http/listener-connection.ts";
import { ServerConnection } from "../../src/http/server-connection.ts";
import { serviceSchema } from "../../src/http/service-options.ts";
import { createUpstream } from "../../src/http/service.ts";
import type { Log } from "../../src/model/ports.ts";
import { reasonInfo } from "../../src/model/reason.ts";
import { ManualClock } from "../../src/platform/clock.ts";
import { createNameResolver } from "../../src/platform/name-resolver.ts";
import { ManualTimers } from "../../src/platform/timers.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { createUpstreamMetrics } from "../../src/telemetry/upstream-metrics.ts";
import { forwardable } from "../../src/wire/fields.ts";

/** One end of a connection, in memory. The proxy holds it as a `Socket`; the test is its peer. */
export class MemorySocket extends Duplex {
  /** All that the proxy wrote, one character a byte. */
  text = "";

  constructor() {
    super({ allowHalfOpen: true });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString("latin1");
    done();
  }

  /** Whether the proxy has closed its side, or all of it. */
  get closing(): boolean {
    return this.writableEnded || this.destroyed;
  }

  /** Bytes arrive. */
  feed(bytes: string): void {
    if (!this.destroyed && bytes !== "") this.push(Buffer.from(bytes, "latin1"));
  }

  /** The peer closes its side. */
  finish(): void {
    if (!this.destroyed) this.push(null);
  }

  /** The peer resets the connection. */
  reset(): void {
    this.destroy(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
  }
}

/** Lets what has arrived be read, and what was written go out. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

export class MemoryProxy {
  readonly clock = new ManualClock(Date.UTC(2026, 0, 2, 3, 4, 5));
  readonly deadlines = new Deadlines(this.clock);
  /** Connections to the service, in the order in which they were opened. */
  readonly opened: MemorySocket[] = [];
  readonly outcomes: ForwardOutcome[] = [];
  /** What was logged as an error: a defect of ours. */
  readonly defects: string[] = [];
  readonly #callers: MemorySocket[] = [];
  readonly #log: Log;
  readonly #context: ConnectionContext;
  readonly #upstream;

  constructor() {
    this.#log = {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (event, fields) => this.defects.push(`${event}: ${String(fields?.["error"])}`),
    };
    this.#upstream = createUpstream(serviceSchema.parse({ endpoints: ["http://127.0.0.1:1"] }), {
      name: "memory",
      clock: this.clock,
      timers: new ManualTimers(),
      metrics: createUpstreamMetrics(createMetrics()).service("memory"),
      resolver: createNameResolver(),
      deadlines: this.deadlines,
      log: this.#log,
      requestTrailers: (trailers) => trailers,
      responseTrailers: (trailers) => trailers,
      openSocket: () => this.#open(),
    });
    this.#context = this.#contextOf();
  }

  /** A caller's connection. */
  caller(): MemorySocket {
    const socket = new MemorySocket();
    this.#callers.push(socket);
    const peer = { address: "127.0.0.1", port: 1 };
    // oxlint-disable-next-line no-new -- the socket's events keep it alive
    new ServerConnection(socket as unknown as Socket, { peer, trust: undefined }, this.#context);
    return socket;
  }

  /** The connection to the service that was opened last. */
  get service(): MemorySocket {
    const socket = this.opened.at(-1);
    if (socket === undefined) throw new TypeError("no connection to the service");
    return socket;
  }

  /** Turns the clock by more than any deadline, in steps, so that each is seen. */
  async pass(): Promise<void> {
    for (let step = 0; step < 4; step += 1) {
      this.clock.advance(30_000);
      this.deadlines.tick();
      await settled();
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.#callers) socket.destroy();
    this.#upstream.close();
    for (const socket of this.opened) socket.destroy();
  }

  #open(): Socket {
    const socket = new MemorySocket();
    this.opened.push(socket);
    setImmediate(() => socket.emit("connect"));
    return socket as unknown as Socket;
  }

  #contextOf(): ConnectionContext {
    const { limits } = listenerSchema.parse({ name: "test", address: "127.0.0.1:0" });
    return {
      listener: "test",
      scheme: "http",
      handler: {
        request: (exchange) => this.#forward(exchange),
        malformed: ({ reason }) => ({ fields: ["content-type", "text/plain"], body: reason }),
      },
      limits: connectionLimits(limits),
      clock: this.clock,
      deadlines: this.deadlines,
      log: this.#log,
      draining: false,
      hit: () => undefined,
      flooded: () => undefined,
      date: () => "today",
      http2: undefined,
      handOver: () => undefined,
      ended: () => undefined,
    };
  }

  #forward(exchange: Exchange): void {
    const { method, target, fields, connectionOptions } = exchange.head;
    this.#upstream.forward(
      exchange,
      {
        method,
        target,
        fields: forwardable(fields, connectionOptions),
        connectTimeoutMs: 1000,
        responseTimeoutMs: 2000,
        totalTimeoutMs: 60_000,
        idleTimeoutMs: 3000,
        maxBodyBytes: 1024 ** 4,
      },
      {
        responseFields: (_status, passed) => passed,
        fault: (reason) => ({ status: reasonInfo(reason).status, fields: [], body: reason }),
        done: (outcome) => this.outcomes.push(outcome),
      },
    );
  }
}
