/**
 * Bodies wait for whoever is slow, on their stream alone: memory is measured in bytes under way while
 * one end reads nothing, and another request on the same connection has to be served meanwhile.
 */
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { H2_ERROR } from "../../wire/http2/codes.ts";
import { Loopback } from "../loopback.fixture.ts";
import { GET, OK, started } from "./client-ground.fixture.ts";

const MIB = 1024 * 1024;
const TOTAL = 100 * MIB;
const CHUNK = Buffer.alloc(64 * 1024, "x");
/** The sockets' kernel buffers, the windows of HTTP/2, and what the proxy may hold. */
const IN_FLIGHT = 24 * MIB;

test("a large answer waits for a caller that does not read, and no other answer waits with it", async () => {
  let sent = 0;
  await using ground = await start((stream, headers) => {
    if (headers[":path"] !== "/large") {
      stream.respond({ "content-length": 2 });
      stream.end("ok");
      return;
    }
    stream.respond({ "content-length": TOTAL });
    pump(stream, (bytes) => (sent += bytes));
  });
  const { proxy } = ground;
  const slow = await proxy.caller();
  slow.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  const head = await slow.until("\r\n\r\n");
  slow.socket.removeAllListeners("data");
  slow.socket.pause();
  await stalled(() => sent);
  assert.ok(sent < IN_FLIGHT, `${sent} bytes under way`);
  const quick = await proxy.caller();
  quick.send(GET);
  assert.match(await quick.until("ok"), /^HTTP\/1.1 200 /);
  assert.equal(ground.sessions(), 1);
  await countTo(slow.socket, TOTAL - (slow.text.length - head.length));
  const done = await proxy.outcome(1);
  assert.deepEqual([done.end, done.responseBytes], ["complete", TOTAL]);
});

test("a large request waits for a service that does not read, and no other request waits with it", async () => {
  let reading: ServerHttp2Stream | undefined;
  await using ground = await start((stream, headers) => {
    if (headers[":method"] === "POST") reading = stream;
    else {
      stream.respond({ "content-length": 2 });
      stream.end("ok");
    }
  });
  const { proxy } = ground;
  const sender = await proxy.caller();
  let sent = 0;
  sender.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${TOTAL}\r\n\r\n`);
  pump(sender.socket, (bytes) => (sent += bytes));
  await stalled(() => sent);
  assert.ok(sent < IN_FLIGHT, `${sent} bytes under way`);
  const quick = await proxy.caller();
  quick.send(GET);
  assert.match(await quick.until("ok"), /^HTTP\/1.1 200 /);
  let received = 0;
  reading?.on("data", (chunk: Buffer) => (received += chunk.length));
  reading?.on("end", () => reading?.respond({ "content-length": 0 }, { endStream: true }));
  assert.match(await sender.until("\r\n\r\n"), /^HTTP\/1.1 200 /);
  assert.equal(received, TOTAL);
});

test("an answer that is complete goes out whole although the service wants no more of the request", async () => {
  await using ground = await started();
  const caller = await ground.asked("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
  const connection = await ground.service.accepted();
  const { id } = await connection.request();
  connection.headers(id, OK);
  connection.data(id, "ok", true);
  connection.reset(id, H2_ERROR.noError);
  assert.match(await caller.until("ok"), /^HTTP\/1.1 200 /);
  assert.equal((await ground.proxy.outcome(0)).end, "complete");
});

interface Ground extends AsyncDisposable {
  readonly proxy: Loopback;
  sessions(): number;
}

async function start(
  answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<Ground> {
  const server = createServer();
  let sessions = 0;
  server.on("session", () => (sessions += 1));
  server.on("stream", answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const endpoints = [`h2c://127.0.0.1:${port}`];
  const proxy = await new Loopback({ service: { endpoints } }).start();
  return {
    proxy,
    sessions: () => sessions,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Writes TOTAL bytes as fast as they are taken. */
function pump(to: ServerHttp2Stream | Socket, took: (bytes: number) => void): void {
  let left = TOTAL;
  const write = (): void => {
    while (left > 0) {
      const piece = CHUNK.subarray(0, left);
      left -= piece.length;
      took(piece.length);
      if (!to.write(piece)) {
        to.once("drain", write);
        return;
      }
    }
    if ("respond" in to) to.end();
  };
  to.on("error", () => {});
  write();
}

/** Waits until `sent` has not grown for many turns. */
async function stalled(sent: () => number): Promise<void> {
  for (let still = 0, before = -1; still < 500; still += 1) {
    if (sent() !== before) still = 0;
    before = sent();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function countTo(socket: Socket, total: number): Promise<void> {
  let received = 0;
  await new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received >= total) resolve();
    });
    socket.resume();
  });
}
