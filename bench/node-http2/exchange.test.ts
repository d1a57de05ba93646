import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { BodyReader, ClientConnection } from "../../src/http/exchange.ts";
import { NodeHttp2Exchange } from "./exchange.ts";

const CONNECTION: ClientConnection = {
  listener: "edge",
  scheme: "http",
  peer: { address: "127.0.0.1", port: 1 },
  trust: undefined,
  memo: undefined,
};

test("NodeHttp2Exchange gives the handler a head and a body, and the caller its answer", async (t) => {
  const server = createServer();
  const heads: unknown[] = [];
  server.on("stream", (stream: ServerHttp2Stream, _: unknown, flags: number, raw: string[]) => {
    const exchange = new NodeHttp2Exchange({ stream, flags, rawHeaders: raw }, CONNECTION, 0);
    const { method, target, host, authorization, bodyKind, contentLength } = exchange.head;
    heads.push({ method, target, host, authorization, bodyKind, contentLength });
    const pieces: Buffer[] = [];
    exchange.attach({
      ...SILENT,
      bodyChunk: (bytes) => pieces.push(bytes),
      bodyEnd() {
        exchange.begin(201, ["x-a", "1", "x-a", "2"]);
        exchange.write(Buffer.from("got "));
        exchange.write(Buffer.concat(pieces));
        exchange.end();
        assert.equal(exchange.gone, true);
      },
    });
    exchange.read();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const session = connect(`http://127.0.0.1:${port}`);
  t.after(() => {
    session.destroy();
    server.close();
  });
  const ask = async (method: string, body: string): Promise<unknown> => {
    const more = body === "" ? {} : { "content-length": String(body.length) };
    const stream = session.request({
      ":method": method,
      ":path": "/a?b",
      authorization: "Bearer t",
      ...more,
    });
    if (body !== "") stream.end(body);
    let text = "";
    stream.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    await once(stream, "end");
    return [headers[":status"], headers["x-a"], text];
  };
  assert.deepEqual(await ask("POST", "body"), [201, "1, 2", "got body"]);
  assert.deepEqual(await ask("GET", ""), [201, "1, 2", "got "]);
  const common = { target: "/a?b", host: `127.0.0.1:${port}`, authorization: "Bearer t" };
  assert.deepEqual(heads, [
    { ...common, method: "POST", bodyKind: "length", contentLength: 4 },
    { ...common, method: "GET", bodyKind: "none", contentLength: 0 },
  ]);
});

const SILENT: BodyReader = {
  bodyChunk() {},
  bodyIdle() {},
  bodyEnd() {},
  bodyFault() {},
  drained() {},
  callerGone() {},
};
