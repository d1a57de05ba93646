/** A WebSocket over TLS, on both runtimes: what comes, how it is closed, what is recorded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { websocketAccept } from "../src/wire/websocket.ts";
import { CLOSE, closeFrame } from "../src/wire/websocket-frames.ts";
import type { RawPeer } from "../src/http/loopback.fixture.ts";
import { type TlsCaller, TlsGround } from "./tls-ground.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ASK = `GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;

test("bytes flow both ways over TLS, and large ones wait for who does not read", async () => {
  await using ground = await upgrading();
  const { caller, service } = await open(ground);
  const before = caller.text.length;
  caller.send("from the caller");
  await service.until("from the caller");
  const chunk = Buffer.alloc(64 * 1024, "x");
  const total = 8 * 1024 * 1024;
  caller.socket.pause();
  for (let sent = 0; sent < total; sent += chunk.length) service.socket.write(chunk);
  service.send("the end");
  caller.socket.resume();
  await caller.until("the end");
  assert.equal(caller.text.length, before + total + "the end".length);
});

test("a WebSocket over TLS that was closed with a Close on each side is complete, whoever closes first", async () => {
  for (const first of ["caller", "service"] as const) {
    await using ground = await upgrading();
    const { caller, service } = await open(ground);
    caller.send(closeFrame(1000, "", Buffer.alloc(4)).toString("latin1"));
    await service.until("\x88");
    service.send(closeFrame(1000, "").toString("latin1"));
    await caller.until("\x88");
    if (first === "caller") caller.end();
    else service.end();
    assert.equal((await ground.loopback.outcome(0)).end, "complete", first);
  }
});

test("a tunnel over TLS is closed with 1008, and its caller's going is noticed", async () => {
  await using ground = await upgrading();
  const { caller } = await open(ground);
  ground.loopback.forwarded[0]?.cancel("forbidden", "denied");
  assert.equal(await caller.untilEnd(), closeFrame(CLOSE.policy, "forbidden").toString("latin1"));
  const other = await open(ground);
  other.caller.destroy();
  assert.equal((await ground.loopback.outcome(1)).end, "caller-gone");
  await other.service.untilEnd();
});

async function upgrading(): Promise<TlsGround> {
  return new TlsGround({
    request: { websocketKey: KEY, idleTimeoutMs: 30_000 },
    handle: (exchange, loopback) => loopback.forward(exchange),
  }).start();
}

async function open(ground: TlsGround): Promise<{ caller: TlsCaller; service: RawPeer }> {
  const caller = await ground.caller();
  caller.send(ASK);
  const service = await ground.loopback.service.accepted();
  await service.until("\r\n\r\n");
  service.send(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: ${websocketAccept(KEY)}\r\n\r\n`,
  );
  await caller.until("\r\n\r\n");
  return { caller, service };
}
