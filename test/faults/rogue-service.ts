/**
 * A service that fails on demand. The second segment of a path says how: `/fault/mid-head/7` gets
 * half a head and then nothing. It reads no more of a request than the fault needs.
 */
import { createServer, type AddressInfo, type Socket } from "node:net";

/** What happens on a connection once a request's head is there. */
type Fault = (socket: Socket, head: string) => void;

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
const OK = `${HEAD}Content-Length: 2\r\n\r\nok`;

const says =
  (text: string): Fault =>
  (socket) =>
    void socket.write(text, "latin1");
const ends =
  (text: string): Fault =>
  (socket) =>
    void socket.end(text, "latin1");
const resets =
  (text: string): Fault =>
  (socket) => {
    // Once it is on its way: a reset drops what was not sent.
    socket.write(text, "latin1", () => setTimeout(() => socket.resetAndDestroy(), 20));
  };

/** Each fault by its name. What hangs says nothing more and leaves the connection open. */
export const FAULTS = {
  fine: says(OK),
  "closes-at-once": ends(""),
  "resets-at-once": (socket) => void socket.resetAndDestroy(),
  "closes-in-head": ends("HTTP/1.1 200 OK\r\nContent-Le"),
  "resets-in-head": resets("HTTP/1.1 200 OK\r\nContent-Le"),
  "closes-in-body": ends(`${HEAD}Content-Length: 100\r\n\r\nbegun`),
  "resets-in-body": resets(`${HEAD}Content-Length: 100\r\n\r\nbegun`),
  "closes-in-chunks": ends(`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n`),
  "closes-before-trailers": ends(`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n0\r\n`),
  "hangs-at-once": () => undefined,
  "hangs-in-head": says("HTTP/1.1 200 OK\r\nContent-Le"),
  "hangs-in-body": says(`${HEAD}Content-Length: 100\r\n\r\nbegun`),
  "hangs-in-chunks": says(`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n`),
  "trickles-forever": (socket) => {
    socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    const timer = setInterval(() => socket.write("1\r\n.\r\n"), 50);
    socket.once("close", () => clearInterval(timer));
  },
  garbage: says("SSH-2.0-OpenSSH_9.9\r\n\r\n"),
  "answers-http2": says("\0\0\x12\x04\0\0\0\0\0\r\n\r\n"),
  "endless-head": says(`${HEAD}${"X-Filler: fffffffffffffffffffffffffffffffff\r\n".repeat(3000)}`),
  "floods-interim": says("HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)),
  "switches-unasked": says(
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
  ),
  "204-with-body": says("HTTP/1.1 204 No Content\r\n\r\nbody"),
  "304-with-body": says("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody"),
  "length-too-short": says(`${HEAD}Content-Length: 2\r\n\r\nok and more`),
  "two-answers": says(OK + OK),
  "two-framings": says(`${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  "bent-chunks": says(`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\nzz\r\n`),
  unavailable: ends(
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy",
  ),
  "unavailable-and-cut": ends("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 40\r\n\r\nbusy"),
  "answers-early": says(
    "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!",
  ),
  /** An answer of 64 MiB, as fast as it is read. */
  endless: (socket) => {
    const total = 64 * 1024 * 1024;
    const piece = Buffer.alloc(64 * 1024, 0x2e);
    socket.write(`${HEAD}Content-Length: ${total}\r\n\r\n`);
    let left = total;
    const more = (): void => {
      while (left > 0 && !socket.destroyed) {
        left -= piece.length;
        if (!socket.write(piece)) return;
      }
    };
    socket.on("drain", more);
    more();
  },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULTS;

export interface RogueService {
  /** `host:port`. */
  readonly address: string;
  /** Connections that are open now. */
  readonly open: number;
  /** Request lines and what came behind their heads in one piece, as they arrived. */
  readonly arrived: readonly string[];
  /** Resolves when a request for this path has arrived. */
  reached(path: string): Promise<void>;
  close(): Promise<void>;
}

export async function startRogueService(): Promise<RogueService> {
  const sockets = new Set<Socket>();
  const arrived: string[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    serve(socket, arrived);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    address: `${address}:${port}`,
    get open() {
      return sockets.size;
    },
    arrived,
    async reached(path) {
      while (!arrived.some((line) => line.includes(` ${path} `))) {
        await new Promise(setImmediate);
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Looks for heads; bodies are passed over by what they announce. */
function serve(socket: Socket, arrived: string[]): void {
  let text = "";
  let skip = 0;
  let chunked = false;
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    for (;;) {
      if (chunked) {
        const last = text.indexOf("0\r\n\r\n");
        if (last === -1) return;
        text = text.slice(last + 5);
        chunked = false;
      }
      const dropped = Math.min(skip, text.length);
      text = text.slice(dropped);
      skip -= dropped;
      const end = skip > 0 ? -1 : text.indexOf("\r\n\r\n");
      if (end === -1) return;
      const head = text.slice(0, end);
      text = text.slice(end + 4);
      arrived.push(`${head.slice(0, head.indexOf(" HTTP/"))} ${text}`);
      skip = Number(/^content-length: (\d+)$/m.exec(head)?.[1] ?? 0);
      chunked = /^transfer-encoding: chunked$/m.test(head);
      faultOf(head)(socket, head);
    }
  });
}

function faultOf(head: string): Fault {
  const name = /^\w+ \/fault\/([a-z0-9-]+)/.exec(head)?.[1] ?? "fine";
  return Object.hasOwn(FAULTS, name) ? FAULTS[name as FaultName] : FAULTS.fine;
}
