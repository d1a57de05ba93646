/**
 * A bad network between a follower and its authority: every connection goes through here and can be
 * cut, held up, delayed or made slow while it is open. It carries bytes only; what is in them (TLS)
 * it can neither read nor change, as the network cannot.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Scope } from "./machine.ts";

const LIMITS = {
  /** Bytes that one direction holds before its sender is told to wait, as a router's queue would. */
  held: 256 * 1024,
  /** A slow line passes on at most so many pieces a second; more would only cost timers. */
  piecesPerSecond: 20,
} as const;

/** How bytes go through. `cut`: no connection lives; `stall`: they live, and nothing comes. */
type Way =
  | { readonly kind: "pass" }
  | { readonly kind: "cut" }
  | { readonly kind: "stall" }
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "throttle"; readonly bytesPerSecond: number };

export interface Chaos {
  readonly port: number;
  /** Connections that are open now. */
  readonly open: number;
  /** Connections that were ever made. */
  readonly made: number;
  /** Bytes that went from the target to whoever connected. */
  readonly bytesDown: number;
  /** Resets what is open and refuses what comes. */
  cut(): void;
  /** Leaves connections open and passes nothing on, either way. What is held is passed on later. */
  stall(): void;
  /** Passes everything on so much later, in order. */
  delay(ms: number): void;
  throttle(bytesPerSecond: number): void;
  /** A good network again. What was held goes on at once. */
  heal(): void;
}

/** Stands before `target` on loopback until the test ends. */
export async function startChaos(scope: Scope, target: number): Promise<Chaos> {
  const line = new Line(target);
  line.server.listen(0, "127.0.0.1");
  await once(line.server, "listening");
  scope.after(() => line.close());
  return line;
}

class Line implements Chaos {
  readonly server: Server;
  readonly #target: number;
  readonly #directions = new Set<Direction>();
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #way: Way = { kind: "pass" };
  made = 0;
  bytesDown = 0;

  constructor(target: number) {
    this.#target = target;
    this.server = createServer((caller) => this.#take(caller));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get open(): number {
    return this.#pairs.size;
  }

  cut(): void {
    this.#set({ kind: "cut" });
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  stall(): void {
    this.#set({ kind: "stall" });
  }

  delay(ms: number): void {
    this.#set({ kind: "delay", ms });
  }

  throttle(bytesPerSecond: number): void {
    this.#set({ kind: "throttle", bytesPerSecond });
  }

  heal(): void {
    this.#set({ kind: "pass" });
  }

  close(): void {
    this.server.close();
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  #set(way: Way): void {
    this.#way = way;
    for (const direction of this.#directions) direction.turn();
  }

  #take(caller: Socket): void {
    if (this.#way.kind === "cut") {
      caller.resetAndDestroy();
      return;
    }
    this.made += 1;
    const target = connect(this.#target, "127.0.0.1");
    const pair = [caller, target] as const;
    this.#pairs.add(pair);
    const way = (): Way => this.#way;
    const directions = [
      new Direction(caller, target, { way, sent: () => undefined }),
      new Direction(target, caller, { way, sent: (bytes) => (this.bytesDown += bytes) }),
    ];
    for (const direction of directions) this.#directions.add(direction);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      // Either end's death is the other's: half a connection is not what is tested here.
      socket.on("close", () => {
        for (const end of pair) end.destroy();
        for (const direction of directions) this.#directions.delete(direction);
        this.#pairs.delete(pair);
      });
    }
  }
}

interface Held {
  /** Undefined: the sender said that nothing more comes. */
  readonly chunk: Buffer | undefined;
  readonly atMs: number;
}

/** One way of one connection: takes pieces, keeps them as the line says, and passes them on. */
class Direction {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #line: { readonly way: () => Way; readonly sent: (bytes: number) => void };
  readonly #held: Held[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    from: Socket,
    to: Socket,
    line: { readonly way: () => Way; readonly sent: (bytes: number) => void },
  ) {
    this.#from = from;
    this.#to = to;
    this.#line = line;
    from.on("data", (chunk: Buffer) => this.#take(chunk));
    from.on("end", () => this.#take(undefined));
    from.on("close", () => clearTimeout(this.#timer));
  }

  /** Passes on what may go now, and comes back for the rest. */
  turn(): void {
    clearTimeout(this.#timer);
    for (let next = this.#held[0]; next !== undefined; next = this.#held[0]) {
      const waitMs = this.#waitOf(next);
      if (waitMs === Infinity) return;
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.turn(), waitMs);
        return;
      }
      if (this.#send(next)) return;
    }
  }

  #take(chunk: Buffer | undefined): void {
    this.#held.push({ chunk, atMs: performance.now() });
    this.#bytes += chunk?.length ?? 0;
    if (this.#bytes > LIMITS.held) this.#from.pause();
    // A slow line sends what it has when its turn comes, and not once for each piece.
    if (this.#held.length === 1 || this.#line.way().kind === "pass") this.turn();
  }

  #waitOf(next: Held): number {
    const way = this.#line.way();
    if (way.kind === "stall") return Infinity;
    if (way.kind === "delay") return Math.max(0, next.atMs + way.ms - performance.now());
    return 0;
  }

  /** True: what follows has to wait, and `turn` comes by itself. */
  #send({ chunk, atMs }: Held): boolean {
    this.#held.shift();
    if (chunk === undefined) {
      this.#to.end();
      return true;
    }
    const way = this.#line.way();
    const most =
      way.kind === "throttle"
        ? Math.max(1, Math.floor(way.bytesPerSecond / LIMITS.piecesPerSecond))
        : chunk.length;
    const piece = chunk.subarray(0, most);
    this.#to.write(piece);
    this.#line.sent(piece.length);
    this.#bytes -= piece.length;
    if (piece.length < chunk.length) this.#held.unshift({ chunk: chunk.subarray(most), atMs });
    if (this.#bytes <= LIMITS.held) this.#from.resume();
    if (way.kind !== "throttle") return false;
    this.#timer = setTimeout(() => this.turn(), 1000 / LIMITS.piecesPerSecond);
    return true;
  }
}
