import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { openChannel } from "./protocol.ts";

/** A channel and the socket of whoever speaks to it. */
async function pair() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const arrived = once(server, "connection") as Promise<[Socket]>;
  const peer = connect((server.address() as AddressInfo).port, "127.0.0.1");
  peer.on("error", () => undefined);
  const [socket] = await arrived;
  server.close();
  const messages: object[] = [];
  const closed = Promise.withResolvers<void>();
  const channel = openChannel<object>(socket, {
    message: (message) => messages.push(message),
    close: () => closed.resolve(),
  });
  return { peer, channel, messages, closed: closed.promise };
}

test("openChannel() takes one object a line, however the bytes come", async () => {
  const { peer, channel, messages, closed } = await pair();
  peer.setNoDelay(true);
  for (const piece of ['{"type":', '"a"}\n{"type":"b"}', "\n"]) {
    await new Promise((resolve) => {
      peer.write(piece, resolve);
    });
  }
  channel.send({ type: "c" });
  const [answer] = (await once(peer, "data")) as [Buffer];
  assert.equal(answer.toString(), '{"type":"c"}\n');
  peer.end();
  await closed;
  assert.deepEqual(messages, [{ type: "a" }, { type: "b" }]);
  assert.equal(channel.closed, true);
});

for (const line of ["hello", "null", "7", '"hello"', "", '{"type":']) {
  test(`openChannel() cuts off who says ${JSON.stringify(line)}`, async () => {
    const { peer, messages, closed } = await pair();
    peer.write(`${line}\n{"type":"late"}\n`);
    await closed;
    await once(peer, "close");
    assert.deepEqual(messages, []);
  });
}
