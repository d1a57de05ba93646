import assert from "node:assert/strict";
import { test } from "node:test";
import { websocketAccept } from "../wire/websocket.ts";
import { CLOSE, closeFrame } from "../wire/websocket-frames.ts";
import { Loopback, type LoopbackOptions, type RawPeer } from "./loopback.fixture.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ASK = [
  "GET /chat HTTP/1.1",
  "Host: a",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${KEY}`,
  "",
  "",
].join("\r\n");

test("an upgrade goes to the service, its 101 comes back, and bytes flow both ways", async () => {
  await using loopback = await upgrading();
  const caller = await loopback.caller();
  caller.send(ASK);
  const service = await loopback.service.accepted();
  const asked = await service.until("\r\n\r\n");
  assert.match(asked, /\r\nupgrade: websocket\r\nconnection: upgrade\r\n/);
  assert.match(asked, new RegExp(`\r\nsec-websocket-key: ${KEY}\r\n`));
  // What comes right behind the 101 belongs to the tunnel.
  service.send(`${switching()}hello`);
  const answer = await caller.until("\r\n\r\n");
  assert.match(answer, /^HTTP\/1.1 101 Switching Protocols\r\n/);
  assert.match(answer, /\r\nupgrade: websocket\r\nconnection: upgrade\r\n/);
  assert.match(answer, /\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  await caller.until("hello");
  caller.send("GET /second HTTP/1.1\r\n\r\n");
  await service.until("GET /second HTTP/1.1\r\n\r\n");
  service.end();
  await caller.untilEnd();
  // Half-closed: what the caller still has to say is said.
  caller.send("last words");
  await service.until("last words");
  caller.end();
  const outcome = await loopback.outcome(0);
  assert.equal(outcome.end, "complete");
  assert.equal(outcome.status, 101);
  assert.equal(outcome.requestBytes, 24 + 10);
  assert.equal(outcome.responseBytes, 5);
  await Promise.all([caller.untilClosed(), service.untilClosed()]);
  assert.equal(loopback.deadlines.size, 0, "nothing is left registered");
});

test("nothing that waits behind an upgrade reaches the service before its 101", async () => {
  await using loopback = await upgrading();
  const caller = await loopback.caller();
  caller.send(`${ASK}early`);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  caller.send(" bytes");
  assert.ok(!service.text.includes("early"));
  service.send(switching());
  await service.until("early bytes");
});

test("an answer other than 101 is passed on, and what stood behind the upgrade is not read", async () => {
  await using loopback = await upgrading();
  const caller = await loopback.caller();
  caller.send(`${ASK}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno");
  const answer = await caller.untilEnd();
  assert.match(answer, /^HTTP\/1.1 426 /);
  assert.match(answer, /\r\nconnection: close\r\n\r\nno$/);
  assert.equal((await loopback.outcome(0)).end, "complete");
  assert.equal(loopback.exchanges.length, 1);
  assert.ok(!service.text.includes("smuggled"));
});

test("a 101 that does not answer this handshake is a 502", async () => {
  const wrong: [title: string, head: string][] = [
    ["accept", switching(websocketAccept("AAAAAAAAAAAAAAAAAAAAAA=="))],
    ["protocol", switching().replace("Upgrade: websocket", "Upgrade: h2c")],
    ["connection", switching().replace("Connection: upgrade", "Connection: keep-alive")],
    ["length", switching().replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n")],
  ];
  for (const [title, head] of wrong) {
    await using loopback = await upgrading();
    const caller = await loopback.caller();
    caller.send(ASK);
    const service = await loopback.service.accepted();
    await service.until("\r\n\r\n");
    service.send(head);
    assert.match(await caller.untilEnd(), /^HTTP\/1.1 502 /, title);
    assert.equal((await loopback.outcome(0)).end, "upstream-protocol", title);
    await service.untilEnd();
  }
});

test("a caller that vanishes ends the tunnel, and so does a service", async () => {
  for (const who of ["caller", "service"] as const) {
    await using loopback = await upgrading();
    const { caller, service } = await open(loopback);
    if (who === "caller") caller.socket.resetAndDestroy();
    else service.socket.resetAndDestroy();
    const outcome = await loopback.outcome(0);
    assert.equal(outcome.end, who === "caller" ? "caller-gone" : "upstream-unreachable");
    const left = who === "caller" ? service : caller;
    await left.untilEnd();
  }
});

test("a peer that does not read stops the other one, and all arrives once it reads", async () => {
  await using loopback = await upgrading();
  const { caller, service } = await open(loopback);
  const total = 64 * 1024 * 1024;
  const chunk = Buffer.alloc(64 * 1024, "x");
  caller.socket.pause();
  for (let sent = 0; sent < total; sent += chunk.length) service.socket.write(chunk);
  // As long as it takes to move all of it, were nobody to stop it.
  for (let turn = 0; turn < 2000; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(service.socket.writableLength > total / 2, "what waits is on the service's own side");
  const length = caller.text.length;
  caller.socket.resume();
  while (caller.text.length - length < total) {
    await new Promise((resolve) => caller.socket.once("data", resolve));
  }
  assert.equal(caller.text.length - length, total);
});

test("idle and lifetime end a tunnel with a Close frame to either side", async () => {
  for (const reason of ["stream-idle", "stream-lifetime"] as const) {
    await using loopback = await upgrading({ request: { lifetimeMs: 8000, idleTimeoutMs: 3000 } });
    const { caller, service } = await open(loopback);
    if (reason === "stream-lifetime") {
      for (const time of [2000, 2000, 2000, 1000]) {
        loopback.pass(time);
        caller.send(frame(`at ${time}`));
        await service.until(`at ${time}`);
      }
    }
    loopback.pass(3001);
    const outcome = await loopback.outcome(0);
    assert.equal(outcome.end, reason);
    const closing = closeFrame(CLOSE.goingAway, reason).toString("latin1");
    assert.equal(await caller.untilEnd(), closing);
    assert.equal(unmask(await service.untilEnd()), closing);
  }
});

test("cancel() ends a tunnel with 1008, and without a frame of ours within one of theirs", async () => {
  for (const within of [false, true]) {
    await using loopback = await upgrading();
    const { caller, service } = await open(loopback);
    if (within) {
      // Ten bytes are announced, four come.
      service.send("\x82\x0aabcd");
      await caller.until("abcd");
    }
    loopback.forwarded[0]?.cancel("forbidden", "a policy forbids it now");
    const closing = closeFrame(CLOSE.policy, "forbidden").toString("latin1");
    assert.equal(await caller.untilEnd(), within ? "" : closing);
    assert.equal(unmask(await service.untilEnd()), closing);
    assert.equal((await loopback.outcome(0)).end, "forbidden");
    // Who goes on sending is not heard, and not for long.
    caller.send(frame("still here"));
    loopback.pass(200_000);
    assert.equal(loopback.listener.connections, 0);
    assert.equal(loopback.deadlines.size, 0);
    assert.ok(!service.text.includes("still here"));
  }
});

test("a listener that closes says 1001 to upgraded connections", async () => {
  await using loopback = await upgrading();
  const { caller } = await open(loopback);
  const closed = loopback.listener.close(60_000);
  assert.equal(
    await caller.untilEnd(),
    closeFrame(CLOSE.goingAway, "shutting-down").toString("latin1"),
  );
  caller.end();
  await closed;
  assert.equal((await loopback.outcome(0)).end, "shutting-down");
});

test("an answer on a route with a lifetime may stream beyond the timeout, up to that lifetime", async () => {
  await using loopback = await new Loopback({
    request: { totalTimeoutMs: 2500, lifetimeMs: 6000, idleTimeoutMs: 3000 },
  }).start();
  const caller = await loopback.caller();
  caller.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  // The head goes out at once, and so does each chunk.
  await caller.until("\r\n\r\n");
  for (const at of [1, 2]) {
    loopback.pass(2000);
    service.send(`3\r\n#${at}\n\r\n`);
    await caller.until(`#${at}\n`);
  }
  loopback.pass(2001);
  const outcome = await loopback.outcome(0);
  assert.equal(outcome.end, "stream-lifetime");
  await caller.untilEnd();
});

async function upgrading(options: LoopbackOptions = {}): Promise<Loopback> {
  const request = { websocketKey: KEY, idleTimeoutMs: 30_000, ...options.request };
  return new Loopback({ ...options, request }).start();
}

async function open(loopback: Loopback): Promise<{ caller: RawPeer; service: RawPeer }> {
  const caller = await loopback.caller();
  caller.send(ASK);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  service.send(switching());
  await caller.until("\r\n\r\n");
  return { caller, service };
}

function switching(accept = websocketAccept(KEY)): string {
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

/** A masked text frame whose mask changes nothing. */
function frame(text: string): string {
  return `\x81${String.fromCodePoint(0x80 | text.length)}\0\0\0\0${text}`;
}

function unmask(text: string): string {
  const bytes = Buffer.from(text, "latin1");
  const at = bytes.indexOf(0x88);
  const mask = bytes.subarray(at + 2, at + 6);
  const payload = bytes.subarray(at + 6).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  const head = Buffer.of(0x88, (bytes[at + 1] ?? 0) & 0x7f);
  return Buffer.concat([head, payload]).toString("latin1");
}
