/** The ways into HTTP/2: ALPN within TLS, prior knowledge without, and both behind a PROXY header. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import test from "node:test";
import { clientOptions, TlsGround } from "../../../test/tls-ground.ts";
import { H2_ERROR, PREFACE } from "../../wire/http2/codes.ts";
import { proxyHeader } from "../../wire/proxy-protocol.fixture.ts";
import { Loopback } from "../loopback.fixture.ts";
import { Http2Peer } from "./peer.fixture.ts";

const H2 = { ALPNProtocols: ["h2"] };
const BEHIND = { listener: { proxyProtocol: { from: ["127.0.0.0/8"] } } };
const HEADER = proxyHeader({ address: "192.0.2.1", port: 4711, checksum: 0 });

async function tcp(loopback: Loopback): Promise<Socket> {
  const socket = connectTcp(loopback.listener.address.port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

test("HTTP/2 is spoken with those who agreed on it in the handshake", async () => {
  await using ground = await new TlsGround().start();
  const caller = await ground.caller(H2);
  const peer = new Http2Peer(caller.tls).start();
  peer.request(1);
  peer.request(3);
  assert.equal((await peer.answer(1)).body, "https");
  assert.equal((await peer.answer(3)).body, "https");
  caller.destroy();
});

test("the caller's certificate is known to every request of an HTTP/2 connection", async () => {
  await using ground = await new TlsGround({
    options: { clients: { mode: "required", ca: "ca.pem" } },
  }).start();
  const client = clientOptions(ground.root.issue({ name: "client" }));
  const caller = await ground.caller({ ...H2, ...client });
  const peer = new Http2Peer(caller.tls).start();
  peer.request(1);
  peer.request(3);
  await peer.answer(1);
  await peer.answer(3);
  assert.equal(ground.peers.length, 2);
  assert.ok(ground.peers.every((tls) => tls !== undefined));
  caller.destroy();
});

test("within TLS the preface means nothing without ALPN, and HTTP/1.1 nothing with h2", async () => {
  await using ground = await new TlsGround().start();
  for (const offer of [{}, { ALPNProtocols: ["http/1.1"] }]) {
    const caller = await ground.caller(offer);
    caller.send(PREFACE.toString("latin1"));
    assert.match(await caller.untilEnd(), /^HTTP\/1.1 (400|505) /);
    caller.destroy();
  }
  const caller = await ground.caller(H2);
  const peer = new Http2Peer(caller.tls);
  caller.send("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  assert.equal((await peer.until("goaway")).code, H2_ERROR.protocolError);
  await peer.untilClosed();
  assert.equal(ground.loopback.exchanges.length, 0);
});

for (const together of [true, false]) {
  const how = together ? "in one piece with" : "before";
  test(`a PROXY header names the caller of prior knowledge, ${how} the preface`, async () => {
    await using loopback = await new Loopback({
      ...BEHIND,
      handle: (exchange) => exchange.reply(200, [], exchange.connection.peer.address),
    }).start();
    const socket = await tcp(loopback);
    if (together) socket.cork();
    socket.write(HEADER);
    if (!together) await new Promise((resolve) => setImmediate(resolve));
    const peer = new Http2Peer(socket).start();
    peer.request(1);
    if (together) socket.uncork();
    assert.equal((await peer.answer(1)).body, "192.0.2.1");
    peer.request(3);
    assert.equal((await peer.answer(3)).body, "192.0.2.1");
    socket.destroy();
    while (loopback.listener.connections > 0) await new Promise((resolve) => setImmediate(resolve));
  });
}

test("a PROXY header names the caller of HTTP/2 within TLS", async () => {
  await using ground = await new TlsGround(BEHIND).start();
  const socket = await tcp(ground.loopback);
  socket.write(HEADER);
  const tls = connectTls({ socket, ca: ground.root.pem, servername: "localhost", ...H2 });
  await once(tls, "secureConnect");
  const peer = new Http2Peer(tls).start();
  peer.request(1);
  assert.equal((await peer.answer(1)).body, "https");
  assert.equal(ground.loopback.exchanges[0]?.connection.peer.address, "192.0.2.1");
  tls.destroy();
});

test("trust in a proxy in front is the same for both versions", async () => {
  await using loopback = await new Loopback({
    listener: { trustedProxies: ["127.0.0.0/8"] },
    handle: (exchange) => {
      exchange.reply(200, [], String(exchange.connection.trust?.("127.0.0.1") ?? "none"));
    },
  }).start();
  const peer = new Http2Peer((await loopback.caller()).socket).start();
  peer.request(1);
  assert.equal((await peer.answer(1)).body, "true");
});

test("Upgrade: h2c is ignored (RFC 9113 section 3.1)", async () => {
  await using loopback = await new Loopback({
    handle: (exchange) => exchange.reply(200, [], exchange.head.version),
  }).start();
  const caller = await loopback.caller();
  caller.send(
    "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
  );
  assert.match(await caller.until(/1\.1$/), /^HTTP\/1.1 200 OK\r\n/);
  const peer = new Http2Peer((await loopback.caller()).socket).start();
  peer.request(1);
  assert.equal((await peer.answer(1)).body, "2");
});
