/**
 * An upgraded connection: bytes both ways between a caller and a service, with back-pressure, and
 * each side's end passed on to the other (half-close), until both have ended.
 *
 * It follows the frames of the WebSocket in it, so that it can be closed with a Close frame when we
 * end it: because its time is over, because policy denies it now, because we shut down. Within a
 * frame there is no place for one: then the connection is closed without, and nothing more of what
 * was denied goes through.
 */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { Reason } from "../model/reason.ts";
import { CLOSE, closeFrame, FrameBoundaries } from "../wire/websocket-frames.ts";
import { type Deadlines, type Expirable, NEVER } from "./deadlines.ts";

const LIMITS = {
  /** Bytes that one side may leave unread before the other is paused; bounds memory per direction. */
  backlog: 256 * 1024,
} as const;

/** What a tunnel does to one of its two connections. */
export interface TunnelPipe {
  /** Bytes that came behind the last head and were not looked at. */
  readonly rest: Buffer;
  /** False: wait for `drained`. */
  write(bytes: Buffer): boolean;
  /** Stops and starts reading: back-pressure from the other side. */
  pause(): void;
  resume(): void;
  /** Nothing more will be written; what comes is still read. */
  end(): void;
  /** Ends our side, drops what still comes, and closes within a bound. The side hears nothing more. */
  finish(): void;
}

/** What a connection tells its tunnel. */
export interface TunnelSide {
  data(bytes: Buffer): void;
  /** After `write` returned false: the peer took it. */
  drained(): void;
  /** The peer has ended its side. */
  ended(): void;
  /** The connection is gone, though not by `finish`. */
  gone(): void;
  /** The listener is closing. */
  draining(): void;
}

/** How a tunnel ended. */
export interface TunnelEnd {
  readonly end: "complete" | Reason;
  readonly detail: string | undefined;
  /** Bytes from the caller to the service. */
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export interface TunnelOptions {
  readonly deadlines: Deadlines;
  /** No byte in either direction for this long ends it. */
  readonly idleTimeoutMs: number;
  /** Monotonic milliseconds, or `NEVER`. */
  readonly endsAt: number;
  /** Exactly once. */
  readonly done: (end: TunnelEnd) => void;
}

export class Tunnel implements Expirable {
  expiresAt = NEVER;
  readonly callerSide: TunnelSide;
  readonly serviceSide: TunnelSide;
  readonly #options: TunnelOptions;
  readonly #up = new Direction();
  readonly #down = new Direction();
  #caller: TunnelPipe | undefined;
  #service: TunnelPipe | undefined;
  #over = false;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.callerSide = this.#side(this.#up, "caller-gone");
    this.serviceSide = this.#side(this.#down, "upstream-unreachable");
  }

  /** Both sides have switched. */
  open(caller: TunnelPipe, service: TunnelPipe): void {
    this.#caller = caller;
    this.#service = service;
    this.#up.join(caller, service);
    this.#down.join(service, caller);
    this.#options.deadlines.add(this);
    this.#touch();
    if (caller.rest.length > 0) this.callerSide.data(caller.rest);
    if (service.rest.length > 0) this.serviceSide.data(service.rest);
  }

  /** Ends it from our side, with a Close frame where one can be put. */
  close(reason: Reason, detail: string, code: number = CLOSE.policy): void {
    if (this.#over) return;
    if (this.#down.boundaries.between) this.#caller?.write(closeFrame(code, reason));
    if (this.#up.boundaries.between) {
      this.#service?.write(closeFrame(code, reason, randomBytes(4)));
    }
    this.#finish(reason, detail);
  }

  expired(): void {
    const { deadlines, endsAt } = this.#options;
    if (deadlines.coarseNow >= endsAt) {
      this.close("stream-lifetime", "the route's lifetime is over", CLOSE.goingAway);
    } else {
      this.close("stream-idle", "no byte for the route's idleTimeout", CLOSE.goingAway);
    }
  }

  /** What one connection tells; `direction` is from it to the other one. */
  #side(direction: Direction, gone: Reason): TunnelSide {
    return {
      data: (bytes) => {
        if (this.#over) return;
        this.#touch();
        direction.pass(bytes);
      },
      drained: () => {
        if (this.#over) return;
        this.#touch();
        (direction === this.#up ? this.#down : this.#up).drained();
      },
      ended: () => {
        if (this.#over) return;
        direction.end();
        if (this.#up.ended && this.#down.ended) this.#finish("complete", undefined);
      },
      gone: () => {
        // With a Close on either side all has been said, whichever connection goes first. So it has by
        // a service that ends its side and then closes: what the caller still sends has nobody to go to.
        const closed = this.#up.boundaries.closed && this.#down.boundaries.closed;
        const orderly = closed || (direction === this.#down && direction.ended);
        if (orderly) this.#finish("complete", undefined);
        else this.#finish(gone, "within an upgraded connection");
      },
      draining: () => this.close("shutting-down", "the listener is closing", CLOSE.goingAway),
    };
  }

  #touch(): void {
    const { deadlines, idleTimeoutMs, endsAt } = this.#options;
    this.expiresAt = Math.min(deadlines.coarseNow + idleTimeoutMs, endsAt);
  }

  #finish(end: "complete" | Reason, detail: string | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const { deadlines, done } = this.#options;
    deadlines.delete(this);
    this.#caller?.finish();
    this.#service?.finish();
    done({ end, detail, requestBytes: this.#up.bytes, responseBytes: this.#down.bytes });
  }
}

/** One way through the tunnel. */
class Direction {
  readonly boundaries = new FrameBoundaries();
  bytes = 0;
  ended = false;
  #from: TunnelPipe | undefined;
  #to: TunnelPipe | undefined;
  #paused = false;

  join(from: TunnelPipe, to: TunnelPipe): void {
    this.#from = from;
    this.#to = to;
  }

  pass(bytes: Buffer): void {
    this.bytes += bytes.length;
    this.boundaries.pass(bytes);
    if (this.#to?.write(bytes) !== false || this.#paused) return;
    this.#paused = true;
    this.#from?.pause();
  }

  drained(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#from?.resume();
  }

  end(): void {
    this.ended = true;
    this.#to?.end();
  }
}

/** A connection's socket as its tunnel uses it. */
export class SocketPipe implements TunnelPipe {
  readonly rest: Buffer;
  readonly finish: () => void;
  readonly #socket: Socket;

  constructor(socket: Socket, rest: Buffer, finish: () => void) {
    this.#socket = socket;
    this.rest = rest;
    this.finish = finish;
  }

  write(bytes: Buffer): boolean {
    if (!this.#socket.writable) return true;
    this.#socket.write(bytes);
    return this.#socket.writableLength < LIMITS.backlog;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }
}
