/** A client that sends bytes as they are and keeps the bytes that come back. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

const LIMITS = {
  /** Milliseconds for something to happen that must happen; only a failing test waits so long. */
  wait: 10_000,
} as const;

export interface RawConnectionOptions {
  /** The bytes go through TLS, whatever certificate the other side shows. */
  readonly tls?: boolean;
}

export class RawConnection {
  readonly #socket: Socket;
  #text = "";
  #closed = false;
  #changed = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      this.#text += chunk;
      this.#announce();
    });
    // A reset is an answer too: what counts is that the connection is over.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#closed = true;
      this.#announce();
    });
  }

  /** Connects to `host:port`. */
  static async open(address: string, options: RawConnectionOptions = {}): Promise<RawConnection> {
    const colon = address.lastIndexOf(":");
    const to = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
    const tls = options.tls === true;
    const socket = tls ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
    const connection = new RawConnection(socket);
    await once(socket, tls ? "secureConnect" : "connect");
    return connection;
  }

  /** All that came back, one character a byte. */
  get text(): string {
    return this.#text;
  }

  get closed(): boolean {
    return this.#closed;
  }

  write(bytes: string): void {
    if (!this.#closed) this.#socket.write(bytes, "latin1");
  }

  /** Says that nothing more will be sent; the other side may still answer. */
  end(): void {
    if (!this.#closed) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Settles with true once `holds`; with false when it does not within the time. */
  async until(holds: () => boolean, waitMs: number = LIMITS.wait): Promise<boolean> {
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      this.#announce();
    }, waitMs);
    try {
      while (!holds()) {
        if (over) return false;
        await this.#changed.promise;
      }
      return true;
    } finally {
      clearTimeout(timer);
    }
  }

  #announce(): void {
    const changed = this.#changed;
    this.#changed = Promise.withResolvers();
    changed.resolve();
  }
}
