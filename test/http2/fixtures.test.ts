/** The tests' own HTTP/2, against the examples of RFC 7541 and against `node:http2` at both ends. */
import { strict as assert } from "node:assert";
import { connect, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { SETTINGS, TYPE } from "./codes.ts";
import { frame, readFrames } from "./frames.ts";
import {
  encodeLiterals,
  encodeReference,
  encodeTableSize,
  type Field,
  PlainDecoder,
} from "./hpack.ts";
import { CODE_LENGTHS } from "./huffman-lengths.ts";
import { answerFields, Http2Peer, Http2Service, requestFields, statusOf } from "./peer.ts";

test("PlainDecoder reads the examples of RFC 7541 appendix C.4, table and Huffman", () => {
  const decoder = new PlainDecoder();
  const read = (hex: string): string[] =>
    decoder.decode(Buffer.from(hex, "hex")).map((field) => field.join(" "));
  const first = [":method GET", ":scheme http", ":path /", ":authority www.example.com"];
  assert.deepEqual(read("828684418cf1e3c2e5f23a6ba0ab90f4ff"), first);
  assert.deepEqual(read("828684be5886a8eb10649cbf"), [...first, "cache-control no-cache"]);
  assert.deepEqual(read("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"), [
    ":method GET",
    ":scheme https",
    ":path /index.html",
    ":authority www.example.com",
    "custom-key custom-value",
  ]);
});

test("the code lengths fill the code space exactly", () => {
  assert.equal(CODE_LENGTHS.length, 257);
  assert.equal(
    CODE_LENGTHS.reduce((sum, bits) => sum + 2 ** -bits, 0),
    1,
  );
});

test("PlainDecoder has the 61 entries of the static table", () => {
  const last = new PlainDecoder().decode(encodeReference(61));
  assert.deepEqual(last, [["www-authenticate", ""]]);
});

test("PlainDecoder refuses what is not HPACK", () => {
  for (const block of [
    encodeReference(0),
    encodeReference(62),
    Buffer.concat([encodeReference(2), encodeTableSize(0)]),
    encodeTableSize(5000),
    encodeLiterals([["name", "value"]]).subarray(0, -1),
  ]) {
    assert.throws(() => new PlainDecoder().decode(block));
  }
});

test("readFrames() reads what frame() wrote, cut anywhere", () => {
  const bytes = Buffer.concat([frame(TYPE.data, 1, 3, "abc"), frame(0xff, 0xff, 2 ** 31 + 5)]);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const first = readFrames(bytes.subarray(0, cut));
    const second = readFrames(Buffer.concat([first.rest, bytes.subarray(cut)]));
    const frames = [...first.frames, ...second.frames];
    assert.deepEqual(
      frames.map(({ type, flags, streamId, payload }) => [type, flags, streamId, String(payload)]),
      [
        [0, 1, 3, "abc"],
        [255, 255, 5, ""],
      ],
    );
  }
});

test("Http2Peer as client gets the answers of node:http2", async () => {
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.respond({ ":status": 200, "x-path": headers[":path"] ?? "" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-end": "yes" }));
    stream.end("a".repeat(200_000));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const caller = await Http2Peer.open(`127.0.0.1:${port}`);
  const seen = await caller.get(1, "/x");
  assert.equal(statusOf(seen), 200);
  assert.ok(answerFields(seen).some(([name, value]) => name === "x-path" && value === "/x"));
  assert.equal(seen.body.length, 200_000);
  assert.deepEqual(seen.heads.at(-1), [["x-end", "yes"]]);
  await caller.roundTrip();
  assert.equal(caller.acknowledged, 1);
  caller.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test("Http2Peer as service answers node:http2", async () => {
  await using service = await Http2Service.start({
    settings: [[SETTINGS.maxConcurrentStreams, 5]],
  });
  const session = connect(`http://127.0.0.1:${service.port}`);
  const request = session.request({ ":path": "/y", "x-a": "b" });
  request.end();
  const peer = await service.accepted();
  const asked = await peer.answer(1);
  const expected = requestFields("GET", "/y", { authority: `127.0.0.1:${service.port}` });
  assert.deepEqual(new Set(asked.heads[0]?.slice(0, 4).map(line)), new Set(expected.map(line)));
  assert.deepEqual(asked.heads[0]?.slice(4), [["x-a", "b"]]);
  peer.headers(1, [[":status", "200"]], false);
  peer.data(1, "hello", true);
  let body = "";
  for await (const chunk of request) body += String(chunk);
  assert.equal(body, "hello");
  session.destroy();
});

function line([name, value]: Field): string {
  return `${name}: ${value}`;
}
