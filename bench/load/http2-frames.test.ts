import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http2";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { connect, type AddressInfo } from "node:net";
import { test } from "node:test";
import {
  FLAG,
  FRAME,
  FrameSplitter,
  fieldBlock,
  frame,
  opening,
  requestFields,
  saysOk,
} from "./http2-frames.ts";

test("FrameSplitter tells frames apart when they come byte by byte", () => {
  const bytes = Buffer.concat([
    frame({ type: FRAME.data, flags: FLAG.endStream, stream: 5 }, Buffer.from("abc")),
    frame({ type: FRAME.ping, flags: 0, stream: 0 }, Buffer.alloc(8)),
  ]);
  const seen: unknown[] = [];
  const splitter = new FrameSplitter(({ type, flags, stream }, payload) =>
    seen.push([type, flags, stream, payload.toString()]),
  );
  for (const byte of bytes) splitter.read(Buffer.of(byte));
  assert.deepEqual(seen, [
    [FRAME.data, FLAG.endStream, 5, "abc"],
    [FRAME.ping, 0, 0, "\0".repeat(8)],
  ]);
});

test("saysOk() looks past changes of the table's size, and at nothing else", () => {
  assert.equal(saysOk(Buffer.of(0x88, 0x40)), true);
  assert.equal(saysOk(Buffer.of(0x20, 0x3f, 0xe1, 0x1f, 0x88)), true);
  assert.equal(saysOk(Buffer.of(0x89)), false);
  assert.equal(saysOk(Buffer.of()), false);
});

test("node:http2 reads the requests that are made of opening(), fieldBlock() and frame()", async (t) => {
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.respond({ ":status": headers["x-long"] === "v".repeat(300) ? 200 : 500 });
    stream.end(headers[":path"]);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  t.after(() => {
    socket.destroy();
    server.close();
  });
  const request = { method: "GET", path: "/a", port };
  const block = fieldBlock(requestFields(request, ["x-long", "v".repeat(300)]));
  const flags = FLAG.endHeaders | FLAG.endStream;
  const ended = new Promise<unknown[]>((resolve) => {
    const seen: unknown[] = [];
    const splitter = new FrameSplitter((head, payload) => {
      if (head.stream !== 1) return;
      if (head.type === FRAME.headers) seen.push(saysOk(payload));
      if (head.type === FRAME.data) seen.push(payload.toString());
      if ((head.flags & FLAG.endStream) !== 0) resolve(seen.filter((one) => one !== ""));
    });
    socket.on("data", (chunk: Buffer) => splitter.read(chunk));
  });
  socket.write(Buffer.concat([opening(), frame({ type: FRAME.headers, flags, stream: 1 }, block)]));
  assert.deepEqual(await ended, [true, "/a"]);
});
