/**
 * Bodies are never held as a whole: memory is measured in bytes that the proxy holds, while the
 * other end reads nothing, and the whole body must arrive once it does.
 */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { Loopback } from "./loopback.fixture.ts";

const MIB = 1024 * 1024;
/** Beyond what the sockets' own buffers between two processes of one machine hold. */
const TOTAL = 200 * MIB;
const CHUNK = Buffer.alloc(256 * 1024, "x");
/** Three sockets' kernel buffers (some MiB each on loopback) and what the proxy may hold. */
const IN_FLIGHT = 48 * MIB;

test("a download of 200 MB waits for a caller that does not read", async () => {
  await using proxy = await new Loopback().start();
  const caller = await proxy.caller();
  caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  caller.socket.removeAllListeners("data");
  caller.socket.pause();
  service.send(`HTTP/1.1 200 OK\r\nContent-Length: ${TOTAL}\r\n\r\n`);
  const source = pump(service.socket);
  await stalled(source);
  assert.ok(source.sent < IN_FLIGHT, `${source.sent} bytes in flight`);
  const received = await countTo(caller.socket, TOTAL);
  assert.ok(received >= TOTAL);
  assert.deepEqual(
    [(await proxy.outcome(0)).end, proxy.outcomes[0]?.responseBytes],
    ["complete", TOTAL],
  );
});

test("an upload of 200 MB waits for a service that does not read", async () => {
  await using proxy = await new Loopback().start();
  const caller = await proxy.caller();
  caller.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${TOTAL}\r\n\r\n`);
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  service.socket.removeAllListeners("data");
  service.socket.pause();
  const source = pump(caller.socket);
  await stalled(source);
  assert.ok(source.sent < IN_FLIGHT, `${source.sent} bytes in flight`);
  const received = await countTo(service.socket, TOTAL);
  assert.equal(received, TOTAL);
  service.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  await caller.until("\r\n\r\n");
  assert.equal((await proxy.outcome(0)).requestBytes, TOTAL);
});

test("a caller that stops reading is given up, and not the service's fault", async () => {
  await using proxy = await new Loopback().start();
  const caller = await proxy.caller();
  caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  caller.socket.pause();
  service.send(`HTTP/1.1 200 OK\r\nContent-Length: ${TOTAL}\r\n\r\n`);
  await stalled(pump(service.socket));
  proxy.pass(3101);
  assert.equal((await proxy.outcome(0)).end, "caller-gone");
});

test("a service that stops reading is a 504", async () => {
  await using proxy = await new Loopback().start();
  const caller = await proxy.caller();
  caller.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${TOTAL}\r\n\r\n`);
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  service.socket.pause();
  await stalled(pump(caller.socket));
  proxy.pass(3101);
  assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 504 /);
  assert.equal((await proxy.outcome(0)).end, "upstream-timeout");
});

test("who pipelines without reading its answers is not served further", async () => {
  const answer = "a".repeat(10_000);
  await using proxy = await new Loopback({
    handle: (exchange) => exchange.reply(200, [], answer),
  }).start();
  const caller = await proxy.caller();
  caller.socket.pause();
  const count = 8000;
  caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(count));
  let served = -1;
  while (served !== proxy.exchanges.length) {
    served = proxy.exchanges.length;
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(served * answer.length < IN_FLIGHT, `${served} answers`);
  assert.ok(served > 0);
  await countTo(caller.socket, count * answer.length);
  assert.equal(proxy.exchanges.length, count);
});

test("a slow reader gets the whole of its last answer", async () => {
  const total = 32 * MIB;
  await using proxy = await new Loopback({
    handle: (exchange) => exchange.reply(200, [], "a".repeat(total), { close: true }),
  }).start();
  const caller = await proxy.caller();
  caller.socket.pause();
  caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  while (proxy.exchanges.length === 0) await proxy.changed();
  // Longer than a closing connection lingers once its answer is out.
  proxy.pass(30_000);
  await countTo(caller.socket, total);
});

interface Source {
  /** Bytes that the socket took. */
  sent: number;
  /** Turns of the event loop in which it took nothing more. */
  still: number;
}

/** Writes TOTAL bytes as fast as the socket takes them. */
function pump(socket: Socket): Source {
  const source: Source = { sent: 0, still: 0 };
  const write = (): void => {
    while (source.sent < TOTAL) {
      const bytes = CHUNK.subarray(0, TOTAL - source.sent);
      source.sent += bytes.length;
      source.still = 0;
      if (!socket.write(bytes)) {
        socket.once("drain", write);
        return;
      }
    }
  };
  write();
  return source;
}

/** Waits until the source has made no progress for many turns: the other end holds it back. */
async function stalled(source: Source): Promise<void> {
  while (source.still < 300) {
    source.still += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function countTo(socket: Socket, total: number): Promise<number> {
  let received = 0;
  await new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received >= total) resolve();
    });
    socket.resume();
  });
  return received;
}
