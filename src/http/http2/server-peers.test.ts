/** Independent peers: the runtime's own HTTP/2 client, with TLS and without. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import test from "node:test";
import { TlsGround } from "../../../test/tls-ground.ts";
import { Loopback } from "../loopback.fixture.ts";

/** Bun's client is no independent witness: it fails against Node's own server in places. */
const skip = process.versions["bun"] !== undefined;

async function answerOf(
  stream: ClientHttp2Stream,
): Promise<{ status: number; body: string; trailers: Record<string, unknown> }> {
  let trailers = {};
  stream.on("trailers", (fields) => {
    trailers = fields;
  });
  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  let body = "";
  for await (const chunk of stream) body += String(chunk);
  return { status: Number(headers[":status"]), body, trailers };
}

async function closed(session: ClientHttp2Session): Promise<void> {
  const gone = once(session, "close");
  session.close();
  await gone;
}

test(
  "node:http2 gets answers over TLS, with the caller's certificate known",
  { skip },
  async () => {
    await using ground = await new TlsGround({
      options: { clients: { ca: "ca.pem", mode: "required" } },
    }).start();
    const client = ground.root.issue({ name: "client" });
    const { port } = ground.loopback.listener.address;
    const session = connect(`https://localhost:${port}`, {
      ca: ground.root.pem,
      cert: client.chainPem,
      key: client.keyPem,
    });
    const answer = await answerOf(session.request({ ":path": "/a" }));
    assert.deepEqual([answer.status, answer.body], [200, "https"]);
    assert.equal(ground.peers.length, 1);
    assert.ok(ground.peers[0] !== undefined);
    await closed(session);
  },
);

test("node:http2 sends and gets bodies of megabytes, many at once", { skip }, async () => {
  await using loopback = await new Loopback({
    handle: (exchange) => {
      const { stream } = exchange;
      let begun = false;
      stream.attach({
        bodyChunk: (bytes) => {
          if (!begun) stream.begin(200, [], { bodyKind: "chunked", contentLength: 0 });
          begun = true;
          if (!stream.write(Buffer.from(bytes))) stream.pause();
        },
        bodyIdle: () => stream.flush(),
        bodyEnd: (trailers) => stream.end(trailers),
        bodyFault: () => stream.abort(),
        drained: () => stream.resume(),
        callerGone: () => {},
      });
      stream.read(1e9);
    },
  }).start();
  // What is given to it whole counts against its own limit of memory.
  const session = connect(`http://127.0.0.1:${loopback.listener.address.port}`, {
    maxSessionMemory: 100,
  });
  const size = 3_000_000;
  const answers = Array.from({ length: 8 }, async (_, index) => {
    const stream = session.request({ ":method": "POST" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-index": String(index) }));
    stream.end(String(index).repeat(size));
    const { body, trailers } = await answerOf(stream);
    assert.equal(body, String(index).repeat(size));
    assert.equal(trailers["x-index"], String(index));
  });
  await Promise.all(answers);
  await closed(session);
});

test("node:http2 understands how we end things", { skip }, async () => {
  await using loopback = await new Loopback({
    handle: (exchange) => {
      if (exchange.head.target === "/early") exchange.reply(413, [], "too large");
      else if (exchange.head.target === "/abort") exchange.stream.abort();
    },
  }).start();
  const session = connect(`http://127.0.0.1:${loopback.listener.address.port}`);
  const early = session.request({ ":method": "POST", ":path": "/early" });
  early.write("some of it");
  const answer = await answerOf(early);
  assert.deepEqual([answer.status, answer.body], [413, "too large"]);
  const aborted = session.request({ ":path": "/abort" });
  aborted.on("error", () => {});
  await new Promise((resolve) => aborted.once("close", resolve));
  assert.equal(aborted.rstCode, constants.NGHTTP2_INTERNAL_ERROR);
  const goaway = once(session, "goaway");
  const ending = loopback.listener.close(1000);
  assert.equal((await goaway)[0], constants.NGHTTP2_NO_ERROR);
  await ending;
});
