/**
 * Behind a balancer (PROXY protocol, then TLS) a caller fills its connection until we stop reading it,
 * and has the balancer reset it: nobody reads, so nobody notices. The balancer takes the same port for
 * its next connection, somebody else's. When the old one is noticed at last, what was kept by its
 * address and port is thrown away, and that is the new one's name: the caller of the new connection is
 * taken for the balancer itself, whom policies, limits and `trustedProxies` may believe.
 */
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import test from "node:test";
import { connect } from "node:tls";
import type { Exchange } from "../../src/http/exchange.ts";
import { proxyHeader } from "../../src/wire/proxy-protocol.fixture.ts";
import { TlsCaller, TlsGround } from "../tls-ground.ts";

const CASES = [
  { name: "192.0.2.2", header: proxyHeader({ address: "192.0.2.2" }) },
  { name: "127.0.0.1", header: proxyHeader({ command: 0, family: 0 }) },
];

for (const { name, header } of CASES) {
  test(`a connection that its header calls ${name} is that, whatever becomes of an older one`, async () => {
    let seen: string | undefined;
    // Until nobody else on the machine took the port between the two connections.
    while (seen === undefined) seen = await attack(header);
    assert.equal(seen, name);
  });
}

/** How the new connection's caller was seen; undefined where the old one's port was gone. */
async function attack(header: Buffer): Promise<string | undefined> {
  const held = Promise.withResolvers<Exchange>();
  await using ground = await new TlsGround({
    listener: { proxyProtocol: { from: ["127.0.0.0/8"] } },
    handle: (exchange) => {
      if (exchange.head.target === "/held") held.resolve(exchange);
      else exchange.reply(200, [], "http");
    },
  }).start();
  const { loopback } = ground;
  const { port } = loopback.listener.address;
  const open = async (localPort?: number): Promise<Socket> => {
    const socket = connectTcp({ host: "127.0.0.1", port, localPort });
    socket.on("error", () => {});
    await once(socket, "connect");
    return socket;
  };

  const secured = async (socket: Socket): Promise<TlsCaller> => {
    const tls = connect({ socket, ca: ground.root.pem, servername: "localhost" });
    await once(tls, "secureConnect");
    return new TlsCaller(tls);
  };
  const asked = async (socket: Socket): Promise<void> => {
    const caller = await secured(socket);
    assert.match(await caller.ask(), /^HTTP\/1\.1 200 /);
    caller.destroy();
  };

  const first = await open();
  const { localPort } = first;
  first.write(proxyHeader({ address: "192.0.2.1" }));
  const old = await secured(first);
  old.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
  const exchange = await held.promise;
  // More than may wait behind a request: from here on nothing is read.
  while (old.tls.write(Buffer.alloc(64 * 1024)));
  first.resetAndDestroy();

  const second = await open(localPort).catch(whereTaken);
  if (second === undefined) return undefined;
  second.write(header);
  // The header has been read by the time that a connection which came after it has its answer.
  const third = await open();
  third.write(proxyHeader({ address: "192.0.2.3" }));
  await asked(third);
  // Bun has noticed the end of the old one long ago; Node does now.
  if (!exchange.gone) exchange.reply(200, [], "http");
  while (loopback.listener.connections > 0) await new Promise(setImmediate);

  await asked(second);
  return loopback.exchanges.at(-1)?.connection.peer.address;
}

function whereTaken(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "EADDRINUSE" && error.code !== "EADDRNOTAVAIL") throw error;
}
