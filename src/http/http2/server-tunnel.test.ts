/** WebSockets by extended CONNECT (RFC 8441), to a service that speaks HTTP/1.1. */
import assert from "node:assert/strict";
import test from "node:test";
import { H2_ERROR } from "../../wire/http2/codes.ts";
import { websocketAccept, websocketKey } from "../../wire/websocket.ts";
import { CLOSE, closeFrame } from "../../wire/websocket-frames.ts";
import { Loopback, type LoopbackOptions, type RawPeer } from "../loopback.fixture.ts";
import { Http2Peer, requestHead } from "./peer.fixture.ts";

const CONNECT = requestHead({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/chat" }, [
  "sec-websocket-version",
  "13",
]);

/** Passes upgrades through. */
async function upgrading(options: LoopbackOptions = {}): Promise<Loopback> {
  return new Loopback({
    handle: (exchange, loopback) => {
      const key = websocketKey(exchange.head.fields);
      const request = { ...loopback.upstreamRequest(exchange), websocketKey: key };
      loopback.forwarded.push(loopback.upstream.forward(exchange, request, loopback.observer()));
    },
    ...options,
  }).start();
}

async function opened(
  loopback: Loopback,
): Promise<{ peer: Http2Peer; service: RawPeer; asked: string }> {
  const peer = new Http2Peer((await loopback.caller()).socket).start();
  peer.section(1, CONNECT, false);
  const service = await loopback.service.accepted();
  const asked = await service.until("\r\n\r\n");
  return { peer, service, asked };
}

function switching(asked: string): string {
  const key = /\r\nsec-websocket-key: ([^\r]+)\r\n/.exec(asked)?.[1] ?? "";
  const accept = websocketAccept(key);
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`;
}

test("extended CONNECT becomes an upgrade, its 101 a 200, and bytes flow both ways", async () => {
  await using loopback = await upgrading();
  const { peer, service, asked } = await opened(loopback);
  assert.match(asked, /^GET \/chat HTTP\/1.1\r\nhost: a.test\r\n/);
  assert.match(asked, /\r\nupgrade: websocket\r\nconnection: upgrade\r\n/);
  service.send(`${switching(asked)}hello`);
  const { fields, end } = await peer.until("headers");
  assert.deepEqual([fields[1], end], ["200", false]);
  assert.ok(fields.includes("sec-websocket-protocol"));
  assert.ok(!fields.includes("sec-websocket-accept") && !fields.includes("upgrade"));
  await peer.until("data", ({ bytes }) => bytes.toString() === "hello");
  peer.send(1, "hi there");
  await service.until("hi there");
  service.end();
  await peer.until("data", ({ id, end: last }) => id === 1 && last);
  // Half-closed: what the caller still has to say is said.
  peer.send(1, "last words", true);
  await service.until("last words");
  await service.untilEnd();
  const outcome = await loopback.outcome(0);
  assert.deepEqual([outcome.end, outcome.requestBytes, outcome.responseBytes], ["complete", 18, 5]);
  peer.request(3);
  const other = await loopback.service.accepted();
  await other.until("\r\n\r\n");
  peer.socket.destroy();
  assert.equal((await loopback.outcome(1)).end, "caller-gone");
  assert.equal(loopback.deadlines.size, 0, "nothing is left registered");
});

test("bytes that come before the service has switched wait for it", async () => {
  await using loopback = await upgrading();
  const { peer, service, asked } = await opened(loopback);
  peer.send(1, "early");
  peer.writer.ping(Buffer.from("settled."), false);
  peer.flush();
  await peer.until("ping");
  assert.ok(!service.text.includes("early"));
  service.send(switching(asked));
  await service.until("early");
});

test("an upgrade that the service refuses is its answer, and the stream ends", async () => {
  await using loopback = await upgrading();
  const { peer, service } = await opened(loopback);
  service.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
  const answer = await peer.answer(1);
  assert.deepEqual([answer.status, answer.body], ["403", "no"]);
  loopback.pass(1000);
  await peer.until("rst", ({ id, code }) => id === 1 && code === H2_ERROR.noError);
});

test("a caller that resets a WebSocket's stream takes its service along", async () => {
  await using loopback = await upgrading();
  const { peer, service, asked } = await opened(loopback);
  service.send(switching(asked));
  await peer.until("headers");
  peer.rst(1, H2_ERROR.cancel);
  await service.untilEnd();
  assert.equal((await loopback.outcome(0)).end, "caller-gone");
});

test("a service that goes ends the WebSocket's stream", async () => {
  await using loopback = await upgrading();
  const { peer, service, asked } = await opened(loopback);
  service.send(switching(asked));
  await peer.until("headers");
  service.socket.resetAndDestroy();
  await peer.until("data", ({ end }) => end);
  loopback.pass(1000);
  await peer.until("rst", ({ code }) => code === H2_ERROR.noError);
  assert.equal((await loopback.outcome(0)).end, "upstream-unreachable");
});

test("a WebSocket's stream is closed with a Close frame when the listener closes", async () => {
  await using loopback = await upgrading();
  const { peer, service, asked } = await opened(loopback);
  service.send(switching(asked));
  await peer.until("headers");
  const closed = loopback.listener.close(60_000);
  const expected = closeFrame(CLOSE.goingAway, "shutting-down");
  await peer.until("data", ({ bytes }) => bytes.equals(expected));
  assert.equal((await loopback.outcome(0)).end, "shutting-down");
  loopback.pass(1000);
  await peer.untilClosed();
  await closed;
});

test("a caller that does not read a WebSocket makes its service wait", async () => {
  await using loopback = await upgrading();
  const { peer, service, asked } = await opened(loopback);
  peer.reading = false;
  service.send(switching(asked));
  await peer.until("headers");
  const piece = Buffer.alloc(64 * 1024);
  let written = 0;
  while (service.socket.writableLength < 16 * piece.length) {
    service.socket.write(piece);
    written += piece.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(written < 64 * 1024 * 1024, `${written} bytes were taken for nobody`);
  peer.writer.windowUpdate(0, 2 ** 30);
  peer.writer.windowUpdate(1, 2 ** 30);
  peer.flush();
  let received = 0;
  await peer.until("data", ({ bytes }) => (received += bytes.length) >= 4_000_000);
});

test("HEADERS within a WebSocket that do not end it reset its stream", async () => {
  await using loopback = await upgrading();
  const { peer, service, asked } = await opened(loopback);
  service.send(switching(asked));
  await peer.until("headers");
  peer.section(1, ["x-a", "b"], false);
  await peer.until("rst", ({ code }) => code === H2_ERROR.protocolError);
  assert.equal((await loopback.outcome(0)).end, "caller-gone");
});

test("CONNECT for anything but a WebSocket is not served", async () => {
  await using loopback = await upgrading();
  const peer = new Http2Peer((await loopback.caller()).socket).start();
  peer.section(1, [":method", "CONNECT", ":authority", "a.test:443"], false);
  assert.equal((await peer.answer(1)).status, "501");
  peer.section(3, requestHead({ ":method": "CONNECT", ":protocol": "webtransport" }), false);
  assert.equal((await peer.answer(3)).status, "501");
});
