/** A PROXY header in front of a TLS connection: read before the handshake, on both runtimes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import { clientOptions, TlsCaller, TlsGround } from "../../test/tls-ground.ts";
import { proxyHeader } from "../wire/proxy-protocol.fixture.ts";

const BEHIND = { listener: { proxyProtocol: { from: ["127.0.0.0/8"] } } };

async function opened(ground: TlsGround): Promise<Socket> {
  const socket = connectTcp(ground.loopback.listener.address.port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** Sends the header and begins the handshake: with it in one piece, or once it has been read. */
async function secured(
  ground: TlsGround,
  header: Buffer,
  { together, client = {} }: { together: boolean; client?: object },
): Promise<TlsCaller> {
  const socket = await opened(ground);
  if (together) socket.cork();
  socket.write(header);
  const tls = connect({ socket, ca: ground.root.pem, servername: "localhost", ...client });
  if (together) setImmediate(() => socket.uncork());
  const caller = new TlsCaller(tls);
  await once(tls, "secureConnect");
  return caller;
}

for (const together of [true, false]) {
  test(`the header names the caller of a TLS connection, ${together ? "in one piece with" : "before"} its handshake`, async () => {
    await using ground = await new TlsGround({ ...BEHIND }).start();
    const header = proxyHeader({ address: "192.0.2.1", port: 4711, checksum: 0 });
    const callers = [];
    for (let index = 0; index < 3; index++) {
      const caller = await secured(ground, header, { together });
      assert.match(await caller.ask(), /^HTTP\/1\.1 200 [^]*https$/);
      assert.match(await caller.ask(), /^HTTP\/1\.1 200 [^]*https$/);
      callers.push(caller);
    }
    for (const { connection } of ground.loopback.exchanges) {
      const { address, port, balancer } = connection.peer;
      assert.deepEqual([address, port, balancer?.address], ["192.0.2.1", 4711, "127.0.0.1"]);
      assert.equal(connection.scheme, "https");
    }
    for (const caller of callers) caller.destroy();
    while (ground.loopback.listener.connections > 0) await new Promise(setImmediate);
  });
}

test("a client certificate is known behind a header, and a LOCAL one is the balancer's own", async () => {
  await using ground = await new TlsGround({
    ...BEHIND,
    options: { clients: { mode: "required", ca: "ca.pem" } },
  }).start();
  const client = clientOptions(ground.root.issue({ name: "client" }));
  const header = proxyHeader({ command: 0, family: 0 });
  const caller = await secured(ground, header, { together: true, client });
  assert.match(await caller.ask(), /^HTTP\/1\.1 200 /);
  const peer = ground.loopback.exchanges[0]?.connection.peer;
  assert.equal(peer?.address, "127.0.0.1");
  assert.equal(peer?.balancer, undefined);
  assert.notEqual(peer?.tls, undefined);
  caller.destroy();
});

test("a handshake without a header, and a header without a handshake, are ended", async () => {
  await using ground = await new TlsGround({
    ...BEHIND,
    limits: { headTimeout: "1s" },
  }).start();
  await assert.rejects(ground.caller());
  assert.equal(ground.loopback.hits("proxyProtocol"), 1);
  const silent = await opened(ground);
  silent.on("error", () => undefined).resume();
  silent.write(proxyHeader({ address: "192.0.2.1" }));
  const garbage = await opened(ground);
  garbage.on("error", () => undefined).resume();
  garbage.write(
    Buffer.concat([proxyHeader({ address: "192.0.2.1" }), Buffer.from("GET / HTTP/1.1\r\n\r\n")]),
  );
  if (!garbage.closed) await once(garbage, "close");
  // The header has been read by now: the other connection came after it.
  ground.loopback.pass(1101);
  if (!silent.closed) await once(silent, "close");
  assert.equal(ground.loopback.exchanges.length, 0);
  while (ground.loopback.deadlines.size > 0) await new Promise(setImmediate);
});
