/** An HTTP/1.1 service whose every answer has no end, and which counts what was taken of it. */
import { createServer, type AddressInfo, type Socket } from "node:net";

const PIECE = Buffer.alloc(16 * 1024, "a");
const CHUNK = Buffer.concat([
  Buffer.from(`${PIECE.length.toString(16)}\r\n`),
  PIECE,
  Buffer.from("\r\n"),
]);

export class EndlessService {
  /** Bytes that went out of this process, all connections together. */
  taken = 0;
  /** Connections that are open. */
  open = 0;
  readonly #server = createServer((socket) => this.#serve(socket));
  readonly #sockets = new Set<Socket>();

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.open += 1;
    this.#sockets.add(socket);
    let begun = false;
    const more = (): void => {
      while (!socket.destroyed) {
        const room = socket.write(CHUNK, () => (this.taken += CHUNK.length));
        if (!room) return;
      }
    };
    socket.on("data", () => {
      if (begun) return;
      begun = true;
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      more();
    });
    socket.on("drain", more);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.open -= 1;
      this.#sockets.delete(socket);
    });
  }
}
