import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { readDirectly } from "./direct-read.ts";

/** Two connected sockets: what is read with the reader given, and what writes to it. */
async function pair(
  context: { after(action: () => void): void },
  received: (socket: Socket, chunk: Buffer) => void,
): Promise<{ readonly reader: Socket; readonly writer: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const writer = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [reader] = (await once(server, "connection")) as [Socket];
  readDirectly(reader, (chunk) => received(reader, chunk));
  context.after(() => {
    reader.destroy();
    writer.destroy();
    server.close();
  });
  return { reader, writer };
}

test("readDirectly() delivers every byte in order, whenever the reader pauses", async (context) => {
  const total = 8_000_000;
  let got = 0;
  let pieces = 0;
  const { reader, writer } = await pair(context, (socket, chunk) => {
    for (let index = 0; index < chunk.length; index += 1009) {
      assert.equal(chunk[index], ((got + index) >> 8) & 255);
    }
    got += chunk.length;
    pieces += 1;
    if (pieces % 3 !== 0) return;
    socket.pause();
    setImmediate(() => socket.resume());
  });
  const ended = once(reader, "end");
  const bytes = Buffer.from(Array.from({ length: total >> 8 }, (_, index) => index & 255));
  const body = Buffer.allocUnsafe(total);
  for (let index = 0; index < bytes.length; index++)
    body.fill(bytes[index] ?? 0, index << 8, (index + 1) << 8);
  writer.end(body);
  await ended;
  assert.equal(got, total);
});

test("readDirectly() delivers nothing while the reader is paused", async (context) => {
  let got = "";
  const { reader, writer } = await pair(context, (_socket, chunk) => {
    got += chunk.toString();
  });
  reader.pause();
  writer.write("first ");
  writer.end("second");
  // The bytes are in the stream's queue or in the kernel; a turn that reads them has passed.
  const probe = await pair(context, () => undefined);
  probe.writer.end();
  await once(probe.reader, "end");
  assert.equal(got, "");
  const ended = once(reader, "end");
  reader.resume();
  await ended;
  assert.equal(got, "first second");
});

test("readDirectly() lets the end of a connection through", async (context) => {
  const { reader, writer } = await pair(context, () => undefined);
  const ended = once(reader, "end");
  writer.end();
  await ended;
  assert.equal(reader.readableEnded, true);
});
