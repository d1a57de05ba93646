/**
 * One address opens connections to a TLS port and says nothing on them (slowloris before the
 * handshake). Where an address is counted only once its handshake is complete, it can hold every
 * place that the listener has, for as long as a handshake may take and then again, though it may
 * have a handful: everybody else is turned away, and no limit ever struck the one who did it.
 */
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import test from "node:test";
import { TlsGround } from "../tls-ground.ts";

test("handshakes under way count for their address", async () => {
  const limits = { connectionsPerAddress: 2 };
  await using ground = await new TlsGround({ limits }).start();
  const { port } = ground.loopback.listener.address;
  const mute = async (): Promise<Socket> => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => {});
    await once(socket, "connect");
    return socket;
  };
  const held = [await mute(), await mute()];
  const third = await mute();
  await once(third, "close");
  assert.equal(ground.loopback.hits("connectionsPerAddress"), 1);

  for (const socket of held) socket.destroy();
  const callers = [];
  while (callers.length < 2) {
    // Whoever comes before the end of those was noticed is turned away as they were.
    const caller = await ground.caller().catch(() => undefined);
    if (caller !== undefined) callers.push(caller);
  }
  for (const caller of callers) assert.match(await caller.ask(), /^HTTP\/1\.1 200 /);
  await assert.rejects(ground.caller());
  for (const caller of callers) caller.destroy();
});
