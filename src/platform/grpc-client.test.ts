/** What a client of gRPC makes of whoever sits at the other end of the socket. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import {
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type GrpcEnd, openGrpcClient } from "./grpc-client.ts";

const METHOD = "/SpiffeWorkloadAPI/FetchX509SVID";
const MAX_BYTES = 1024 * 1024;

/** Of one call: the messages that came, and its end; undefined where it was cancelled after `patienceMs` of nothing. */
interface Heard {
  readonly messages: readonly Buffer[];
  readonly end: GrpcEnd | undefined;
}

async function call(address: string, patienceMs?: number): Promise<Heard> {
  const client = openGrpcClient({
    address,
    metadata: { "workload.spiffe.io": "true" },
    maxMessageBytes: MAX_BYTES,
  });
  const messages: Buffer[] = [];
  let ends = 0;
  try {
    const end = await new Promise<GrpcEnd | undefined>((resolve) => {
      const cancel = client.stream(METHOD, Buffer.alloc(0), {
        message: (bytes) => messages.push(bytes),
        ended(how) {
          ends += 1;
          resolve(how);
        },
      });
      if (patienceMs !== undefined) {
        setTimeout(() => {
          cancel();
          setImmediate(() => resolve(undefined));
        }, patienceMs);
      }
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(ends, end === undefined ? 0 : 1);
    return { messages, end };
  } finally {
    client.close();
  }
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-grpc-"));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whoever accepts at a socket, and what it does with a connection. */
async function at(path: string, accept: (socket: Socket) => void): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => socket.destroy());
    accept(socket);
  });
  server.listen(path);
  await once(server, "listening");
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

test("stream() ends with a reason when nobody, nothing or a stranger is at the address", async () => {
  await withFolder(async (folder) => {
    const missing = await call(`unix:${folder}/none.sock`);
    assert.equal(missing.end?.code, 14);
    assert.match(missing.end.detail, /ENOENT/);
    writeFileSync(join(folder, "file"), "");
    assert.match((await call(`unix:${folder}/file`)).end?.detail ?? "", /ECONNREFUSED|ENOTSOCK/);
    mkdirSync(join(folder, "folder"));
    assert.equal((await call(`unix:${folder}/folder`)).end?.code, 14);
    const strangers: Readonly<Record<string, (socket: Socket) => void>> = {
      "closes at once": (socket) => socket.destroy(),
      "speaks HTTP/1.1": (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"),
      "sends half of a SETTINGS frame and closes": (socket) =>
        socket.end(Buffer.from("00000c0400", "hex")),
      "sends bytes at random": (socket) => socket.end(Buffer.alloc(4096, 0xa5)),
    };
    for (const [what, accept] of Object.entries(strangers)) {
      const path = join(folder, "stranger.sock");
      await using _ = await at(path, accept);
      const { end, messages } = await call(`unix:${path}`);
      assert.ok(end !== undefined && end.code !== 0, what);
      assert.equal(messages.length, 0, what);
      rmSync(path, { force: true });
    }
  });
});

test("stream() waits where nothing is said, until it is cancelled", async () => {
  await withFolder(async (folder) => {
    const silent: Readonly<Record<string, (socket: Socket) => void>> = {
      nothing: () => undefined,
      "half of a SETTINGS frame": (socket) => socket.write(Buffer.from("00000c0400", "hex")),
    };
    for (const [what, accept] of Object.entries(silent)) {
      const path = join(folder, "silent.sock");
      await using _ = await at(path, accept);
      assert.equal((await call(`unix:${path}`, 50)).end, undefined, what);
      rmSync(path, { force: true });
    }
  });
});

test("stream() refuses a socket that it may not connect to", async (context) => {
  if (process.getuid?.() === 0) {
    context.skip("root may connect to any");
    return;
  }
  await withFolder(async (folder) => {
    const path = join(folder, "closed.sock");
    await using _ = await at(path, (socket) => socket.destroy());
    chmodSync(path, 0o000);
    assert.match((await call(`unix:${path}`)).end?.detail ?? "", /EACCES/);
  });
});

const TRAILERS_ONLY = { ":status": 200, "content-type": "application/grpc", "grpc-status": "7" };

/** An answer of HTTP/2 that is none of gRPC, or a broken one. */
const ANSWERS: readonly {
  readonly what: string;
  readonly answer: (stream: ServerHttp2Stream) => void;
  readonly code: number;
}[] = [
  {
    what: "another status of HTTP",
    answer: (stream) => stream.respond({ ":status": 404 }, { endStream: true }),
    code: 12,
  },
  {
    what: "no grpc-status",
    answer: (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" });
      stream.end();
    },
    code: 13,
  },
  {
    what: "a message beyond the limit",
    answer: (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" });
      stream.write(framed(Buffer.alloc(MAX_BYTES + 1)));
    },
    code: 8,
  },
  {
    what: "a length of 4 GB",
    answer: (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" });
      stream.write(Buffer.from("00ffffffff01", "hex"));
    },
    code: 8,
  },
  {
    what: "a message that is packed in no known way",
    answer: (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" });
      stream.write(framed(Buffer.from("x"), 1));
    },
    code: 13,
  },
];

test("stream() ends with a code when an answer is none of gRPC or is too large", async () => {
  await withFolder(async (folder) => {
    for (const { what, answer, code } of ANSWERS) {
      const path = join(folder, "http2.sock");
      const server = createHttp2Server();
      server.on("stream", (stream: ServerHttp2Stream) => {
        stream.on("error", () => undefined);
        answer(stream);
      });
      server.listen(path);
      await once(server, "listening");
      const { end, messages } = await call(`unix:${path}`);
      assert.equal(end?.code, code, `${what}: ${JSON.stringify(end)}`);
      assert.equal(messages.length, 0, what);
      server.close();
      rmSync(path, { force: true });
    }
  });
});

test("stream() keeps what is said about an end to one short line", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "http2.sock");
    const server = createHttp2Server();
    server.on("stream", (stream: ServerHttp2Stream) => {
      const message = encodeURIComponent(`line\n\u001b[2Jnext ${"x".repeat(1000)}`);
      stream.respond(
        {
          ":status": 200,
          "content-type": "application/grpc",
          "grpc-status": "7",
          "grpc-message": message,
        },
        { endStream: true },
      );
    });
    server.listen(path);
    await once(server, "listening");
    const { end } = await call(`unix:${path}`);
    assert.equal(end?.code, 7);
    assert.match(end.detail, /^line \[2Jnext x+$/);
    assert.equal(end.detail.length, 200);
    server.close();
  });
});

test("stream() speaks to an address of loopback, whatever proxy the environment names", async () => {
  const before = process.env["http_proxy"];
  process.env["http_proxy"] = "http://127.0.0.1:1";
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const message = `${String(headers["workload.spiffe.io"])} ${String(headers[":authority"])}`;
    stream.respond({ ...TRAILERS_ONLY, "grpc-message": message }, { endStream: true });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as { readonly port: number };
    const { end } = await call(`tcp:127.0.0.1:${port}`);
    assert.deepEqual(end, { code: 7, detail: "true localhost" });
  } finally {
    server.close();
    if (before === undefined) delete process.env["http_proxy"];
    else process.env["http_proxy"] = before;
  }
});

function framed(message: Buffer, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
