/** What somebody dials who has the wrong port: HTTP without TLS, or a server that ends connections. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type Server as TcpServer } from "node:net";

export class PlainServer {
  readonly #server: Server | TcpServer;

  /** `mute`: it ends each connection at once. */
  constructor(kind: "http" | "mute" = "http") {
    this.#server =
      kind === "http"
        ? createServer((_request, response) => response.end("hello"))
        : createTcpServer((socket) => socket.destroy());
  }

  /** `https:`, as if it did. */
  async url(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const { port } = this.#server.address() as { port: number };
    return `https://127.0.0.1:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}
