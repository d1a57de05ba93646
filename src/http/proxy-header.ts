/**
 * Reads the PROXY header in front of a connection, before TLS and before any request. A connection
 * that does not come from a balancer, or does not begin with a whole header in time, is closed
 * without an answer: nobody may choose whether it is believed.
 */
import type { Socket } from "node:net";
import type { Log } from "../model/ports.ts";
import type { TrustProxy } from "../model/http.ts";
import { isProxyHeaderFault, parseProxyHeader, type ProxyHeader } from "../wire/proxy-protocol.ts";
import { type Deadlines, type Expirable, NEVER } from "./deadlines.ts";

export interface ProxyHeaderDeps {
  readonly listener: string;
  /** Which addresses are balancers. */
  readonly from: TrustProxy;
  readonly deadlines: Deadlines;
  /** From the connection to the last byte of its header. */
  readonly timeoutMs: number;
  readonly log: Log;
  /** The connection begins; it is paused, and holds what came behind the header. */
  readonly begin: (socket: Socket, source: ProxyHeader["source"]) => void;
  /** Told of each that is closed for what it did, or did not, say. */
  readonly refused: () => void;
}

const LIMITS = {
  /** A refusal is said in the log at most so often: strangers must not fill it. */
  logEveryMs: 10_000,
} as const;

const EMPTY = Buffer.alloc(0);

/** Those whose header is not complete. */
export class ProxyHeaders {
  readonly #deps: ProxyHeaderDeps;
  readonly #waiting = new Set<Waiting>();
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(deps: ProxyHeaderDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** `address`: where the connection comes from. */
  read(socket: Socket, address: string): void {
    socket.on("error", ignore);
    if (!this.#deps.from(address)) {
      this.#refuse(socket, address, "not from a balancer that proxyProtocol names");
      return;
    }
    const waiting = new Waiting(socket, (outcome) => {
      this.#waiting.delete(waiting);
      this.#deps.deadlines.delete(waiting);
      if (typeof outcome === "string") this.#refuse(socket, address, outcome);
      else if (outcome !== undefined) this.#deps.begin(socket, outcome.source);
    });
    this.#waiting.add(waiting);
    this.#deps.deadlines.add(waiting);
    waiting.expiresAt = this.#deps.deadlines.coarseNow + this.#deps.timeoutMs;
  }

  /** Ends those that wait: nothing was asked on them yet. */
  close(): void {
    for (const waiting of this.#waiting) waiting.abandon();
  }

  #refuse(socket: Socket, address: string, fault: string): void {
    const { deadlines, listener, log, refused } = this.#deps;
    refused();
    socket.destroy();
    if (deadlines.coarseNow < this.#saidAt + LIMITS.logEveryMs) return;
    this.#saidAt = deadlines.coarseNow;
    log.warn("a connection was closed for its PROXY header", { listener, peer: address, fault });
  }
}

/** A header, a fault, or undefined: it went without a word, as health checks do. */
type Outcome = ProxyHeader | string | undefined;

class Waiting implements Expirable {
  expiresAt = NEVER;
  readonly #socket: Socket;
  #done: ((outcome: Outcome) => void) | undefined;
  #bytes: Buffer = EMPTY;
  readonly #onData = (chunk: Buffer): void => this.#received(chunk);
  readonly #onEnd = (): void => this.#settle(this.#cut());

  constructor(socket: Socket, done: (outcome: Outcome) => void) {
    this.#socket = socket;
    this.#done = done;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onEnd);
  }

  expired(): void {
    this.#settle("no whole header in time");
  }

  abandon(): void {
    this.#settle(undefined);
    this.#socket.destroy();
  }

  #received(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const result = parseProxyHeader(this.#bytes);
    if (result === undefined) return;
    if (isProxyHeaderFault(result)) {
      this.#settle(result.fault);
      return;
    }
    this.#socket.pause();
    const rest = this.#bytes.subarray(result.length);
    this.#bytes = EMPTY;
    this.#detach();
    if (rest.length > 0) this.#socket.unshift(rest);
    this.#settle(result);
  }

  #cut(): Outcome {
    if (this.#bytes.length > 0) return "a header that was cut off";
    this.#socket.destroy();
    return undefined;
  }

  #settle(outcome: Outcome): void {
    const done = this.#done;
    if (done === undefined) return;
    this.#done = undefined;
    this.#detach();
    done(outcome);
  }

  #detach(): void {
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onEnd);
    this.#socket.off("close", this.#onEnd);
  }
}

function ignore(): void {}
