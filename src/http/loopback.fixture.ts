/**
 * What the tests of this folder are made of: a pass-through proxy on loopback between raw callers
 * and a service that the test plays by hand, with a clock that the test turns.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Log } from "../model/ports.ts";
import { reasonInfo } from "../model/reason.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createUpstreamMetrics } from "../telemetry/upstream-metrics.ts";
import { forwardable } from "../wire/fields.ts";
import { Deadlines } from "./deadlines.ts";
import type {
  Exchange,
  ExchangeHandler,
  Forwarded,
  ForwardObserver,
  ForwardOutcome,
  MalformedRequest,
  Upstream,
  UpstreamRequest,
} from "./exchange.ts";
import { listenerSchema } from "./listener-options.ts";
import { serviceSchema } from "./service-options.ts";
import { type Listener, listen } from "./listener.ts";
import type { ListenerTls } from "./listener-tls.ts";
import type { ListenerTlsOptions } from "./tls-options.ts";
import { createUpstream, type UpstreamDeps } from "./service.ts";

/** One end of a connection, played by hand. Bytes are latin1 text. */
export class RawPeer {
  readonly socket: Socket;
  /** All that was received. */
  text = "";
  /** Whether the other side has closed its own. */
  ended = false;
  closed = false;
  #mark = 0;
  #wake: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      this.#woken();
    });
    socket.on("end", () => {
      this.ended = true;
      this.#woken();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
      this.#woken();
    });
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Waits until what came since the last match matches; returns it up to the end of the match. */
  async until(pattern: RegExp | string): Promise<string> {
    for (;;) {
      const fresh = this.text.slice(this.#mark);
      const end = matchEnd(fresh, pattern);
      if (end !== -1) {
        this.#mark += end;
        return fresh.slice(0, end);
      }
      if (this.closed) throw new Error(`closed before ${pattern}: ${JSON.stringify(fresh)}`);
      await this.#change();
    }
  }

  /** Waits until the other side has closed; returns what came since the last match. */
  async untilEnd(): Promise<string> {
    while (!this.ended && !this.closed) await this.#change();
    return this.text.slice(this.#mark);
  }

  async untilClosed(): Promise<void> {
    while (!this.closed) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #woken(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** A service without behaviour of its own: the test takes each connection and answers on it. */
export class ManualService {
  readonly server: Server;
  readonly connections: RawPeer[] = [];
  #taken = 0;
  #wake: (() => void)[] = [];

  constructor() {
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.connections.push(new RawPeer(socket));
      for (const wake of this.#wake.splice(0)) wake();
    });
  }

  get port(): number {
    return portOf(this.server);
  }

  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(port, "127.0.0.1", resolve));
  }

  /** The next connection that the proxy opens. */
  async accepted(): Promise<RawPeer> {
    for (;;) {
      const connection = this.connections[this.#taken];
      if (connection !== undefined) {
        this.#taken += 1;
        return connection;
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.connections) connection.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

export interface LoopbackOptions {
  readonly limits?: Record<string, unknown>;
  /** Further options of the listener. */
  readonly listener?: Record<string, unknown>;
  readonly service?: Record<string, unknown>;
  /** Ports of the endpoints; the manual service alone when left out. */
  readonly endpoints?: readonly number[];
  readonly request?: Partial<UpstreamRequest>;
  /** Instead of passing each request through. */
  readonly handle?: (exchange: Exchange, loopback: Loopback) => void;
  readonly upstream?: Partial<UpstreamDeps>;
  /** What the listener's TLS is made of. */
  readonly tls?: (now: { readonly clock: ManualClock; readonly log: Log }) => {
    readonly options: ListenerTlsOptions;
    readonly tls: ListenerTls;
  };
  /** What the clock says at first. */
  readonly now?: number;
}

/** The proxy and all that it told the handler. */
export class Loopback {
  readonly clock: ManualClock;
  readonly deadlines: Deadlines;
  readonly timers = new ManualTimers();
  readonly metrics = createMetrics();
  /** What every draw comes out as: from 0 to below 1. */
  random = 0.5;
  readonly service = new ManualService();
  readonly outcomes: ForwardOutcome[] = [];
  readonly malformed: MalformedRequest[] = [];
  readonly exchanges: Exchange[] = [];
  readonly forwarded: Forwarded[] = [];
  readonly logged: string[] = [];
  readonly #options: LoopbackOptions;
  #listener: Listener | undefined;
  #upstream: Upstream | undefined;
  #callers: RawPeer[] = [];
  #wake: (() => void)[] = [];

  constructor(options: LoopbackOptions = {}) {
    this.#options = options;
    this.clock = new ManualClock(options.now ?? Date.UTC(2026, 0, 2, 3, 4, 5));
    this.deadlines = new Deadlines(this.clock);
  }

  async start(): Promise<this> {
    await this.service.listen();
    const ports = this.#options.endpoints ?? [this.service.port];
    this.#upstream = createUpstream(
      serviceSchema.parse({
        endpoints: ports.map((port) => `http://127.0.0.1:${port}`),
        ...this.#options.service,
      }),
      {
        name: "test",
        clock: this.clock,
        timers: this.timers,
        metrics: createUpstreamMetrics(this.metrics).service("test"),
        random: () => this.random,
        resolver: { resolve: () => Promise.reject(new Error("no names here")) },
        deadlines: this.deadlines,
        log: this.#log(),
        requestTrailers: (trailers) => trailers,
        responseTrailers: (trailers) => trailers,
        ...this.#options.upstream,
      },
    );
    const made = this.#options.tls?.({ clock: this.clock, log: this.#log() });
    const limits = this.#options.limits ?? {};
    const listener = {
      name: "test",
      address: "127.0.0.1:0",
      limits,
      tls: made?.options,
      ...this.#options.listener,
    };
    await this.#upstream.start();
    this.#listener = await listen(listenerSchema.parse(listener), {
      clock: this.clock,
      deadlines: this.deadlines,
      log: this.#log(),
      handler: this.#handler(),
      tls: made?.tls,
      metrics: this.metrics,
    });
    return this;
  }

  get listener(): Listener {
    if (this.#listener === undefined) throw new TypeError("not started");
    return this.#listener;
  }

  get upstream(): Upstream {
    if (this.#upstream === undefined) throw new TypeError("not started");
    return this.#upstream;
  }

  /** A caller, connected. */
  async caller(): Promise<RawPeer> {
    const socket = connect({
      port: this.listener.address.port,
      host: "127.0.0.1",
      noDelay: true,
      allowHalfOpen: true,
    });
    const caller = new RawPeer(socket);
    this.#callers.push(caller);
    await new Promise((resolve) => socket.once("connect", resolve));
    return caller;
  }

  /** How often this limit of the listener struck. */
  hits(limit: string): number {
    const { body } = this.metrics.render();
    const series = `sallyport_listener_limits_total{listener="test",limit="${limit}"} `;
    return Number(body.split(series)[1]?.split("\n", 1)[0]);
  }

  /** Turns the clock and lets what is due expire. */
  pass(ms: number): void {
    this.clock.advance(ms);
    this.deadlines.tick();
  }

  /** The outcome of the forward that ended as number `index`. */
  async outcome(index: number): Promise<ForwardOutcome> {
    for (;;) {
      const outcome = this.outcomes[index];
      if (outcome !== undefined) return outcome;
      await this.changed();
    }
  }

  /** Waits until the proxy has reported something. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  /** Passes an exchange through to the manual service. */
  forward(exchange: Exchange): void {
    const request = this.upstreamRequest(exchange);
    this.forwarded.push(this.upstream.forward(exchange, request, this.observer()));
  }

  upstreamRequest(exchange: Exchange): UpstreamRequest {
    const { method, target, fields, connectionOptions } = exchange.head;
    return {
      method,
      target,
      fields: forwardable(fields, connectionOptions),
      connectTimeoutMs: 1000,
      responseTimeoutMs: 2000,
      totalTimeoutMs: 10_000,
      idleTimeoutMs: 3000,
      maxBodyBytes: 1024 ** 4,
      ...this.#options.request,
    };
  }

  observer(): ForwardObserver {
    return {
      responseFields: (_status, fields) => fields,
      fault: (reason) => ({ status: reasonInfo(reason).status, fields: [], body: reason }),
      done: (outcome) => {
        this.outcomes.push(outcome);
        this.#woken();
      },
    };
  }

  /** Closes all of it, also when the test has failed: a test says `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const caller of this.#callers) caller.destroy();
    this.upstream.close();
    await this.listener.close(0);
    await this.service[Symbol.asyncDispose]();
  }

  #handler(): ExchangeHandler {
    return {
      request: (exchange) => {
        this.exchanges.push(exchange);
        this.#woken();
        if (this.#options.handle === undefined) this.forward(exchange);
        else this.#options.handle(exchange, this);
      },
      malformed: (fault) => {
        this.malformed.push(fault);
        this.#woken();
        return { fields: ["content-type", "text/plain"], body: fault.reason };
      },
    };
  }

  #log(): Log {
    const write = (event: string): void => {
      this.logged.push(event);
    };
    return { debug: write, info: write, warn: write, error: write };
  }

  #woken(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("not a TCP address");
  return address.port;
}

function matchEnd(text: string, pattern: RegExp | string): number {
  if (typeof pattern === "string") {
    const at = text.indexOf(pattern);
    return at === -1 ? -1 : at + pattern.length;
  }
  const match = pattern.exec(text);
  return match === null ? -1 : match.index + match[0].length;
}
