/**
 * Any frames in any order, cut anywhere: the server ends streams or the connection, never throws, leaves
 * nothing behind, and goes on to serve others.
 */
import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { PREFACE } from "../../wire/http2/codes.ts";
import { HpackEncoder } from "../../wire/http2/hpack-encoder.ts";
import type { Exchange } from "../exchange.ts";
import { Loopback } from "../loopback.fixture.ts";
import { Http2Peer, requestHead } from "./peer.fixture.ts";

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

const encoder = new HpackEncoder();
const block = (fields: readonly string[]): Uint8Array => Uint8Array.from(encoder.encode(fields));
// Nothing is put into a table by these, so they can stand in any order.
encoder.setMaxTableBytes(0);
block([]);
const BLOCKS = [
  block(requestHead()),
  block(requestHead({ ":method": "POST" })),
  block(requestHead({ ":method": "POST" }, ["content-length", "3"])),
  block(requestHead({ ":method": "CONNECT", ":protocol": "websocket" })),
  block(["x-trailer", "1"]),
  block([":path", "/"]),
];

const ids = fc.constantFrom(0, 1, 1, 1, 2, 3, 3, 5, 7, 9);
const flags = fc.constantFrom(0, 1, 4, 5, 5, 5, 8, 0x20, 0x2d);
const int32 = fc
  .constantFrom(0, 1, 100, 65_535, 2 ** 31 - 1)
  .map((value) => Uint8Array.from([value >>> 24, value >>> 16, value >>> 8, value]));
const bytes = fc.uint8Array({ maxLength: 40 });

const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant(1),
    flags: fc.constantFrom(4, 5, 5),
    id: ids,
    payload: fc.constantFrom(...BLOCKS),
  }),
  fc.record({ type: fc.constant(0), flags: fc.constantFrom(0, 0, 1), id: ids, payload: bytes }),
  fc.record({ type: fc.constantFrom(3, 8), flags: fc.constant(0), id: ids, payload: int32 }),
  fc.record({
    type: fc.constant(4),
    flags: fc.constant(0),
    id: fc.constant(0),
    payload: fc
      .tuple(fc.constantFrom(1, 3, 4, 5, 6, 8, 77), int32)
      .map(([id, value]) => Uint8Array.from([0, id, ...value])),
  }),
  fc.record({ type: fc.integer({ min: 0, max: 12 }), flags, id: ids, payload: bytes }),
);

function written(frames: readonly Frame[]): Buffer {
  const parts = frames.map(({ type, flags: set, id, payload }) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = set;
    head.writeUInt32BE(id, 5);
    return Buffer.concat([head, payload]);
  });
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  return Buffer.concat([PREFACE, settings, ...parts]);
}

/** What a handler may do, chosen by the case. */
function handle(exchange: Exchange, choice: number): void {
  const { stream } = exchange;
  if (choice === 0) {
    exchange.reply(200, [], "answer");
    return;
  }
  if (choice === 1) return;
  let begun = false;
  stream.attach({
    bodyChunk: (chunk) => {
      if (!begun) stream.begin(200, [], { bodyKind: "chunked", contentLength: 0 });
      begun = true;
      if (!stream.write(Buffer.from(chunk)) || choice === 3) {
        stream.pause();
        if (choice === 3) setImmediate(() => stream.resume());
      }
    },
    bodyIdle: () => stream.flush(),
    bodyEnd: (trailers) => {
      if (!begun) stream.begin(200, [], { bodyKind: "chunked", contentLength: 0 });
      stream.end(trailers);
    },
    bodyFault: () => {
      if (begun) stream.abort();
      else exchange.reply(400, [], "bad");
    },
    drained: () => stream.resume(),
    callerGone: () => {},
  });
  stream.read(choice === 4 ? 10 : 1e9);
}

test("a server survives any frames, and leaves nothing behind", async () => {
  let choice = 0;
  await using loopback = await new Loopback({
    handle: (exchange) => handle(exchange, choice),
  }).start();
  const run = async (
    frames: readonly Frame[],
    cuts: readonly number[],
    chosen: number,
  ): Promise<void> => {
    choice = chosen;
    const caller = await loopback.caller();
    const peer = new Http2Peer(caller.socket);
    const all = written(frames);
    let at = 0;
    for (const cut of cuts) {
      if (at >= all.length || peer.closed) break;
      caller.socket.write(all.subarray(at, at + cut));
      at += cut;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (!peer.closed) caller.socket.write(all.subarray(at));
    const wellKnown = await loopback.caller();
    choice = 0;
    const other = new Http2Peer(wellKnown.socket).start();
    other.request(1);
    assert.equal((await other.answer(1)).body, "answer");
    wellKnown.destroy();
    caller.destroy();
    while (loopback.listener.connections > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(
      loopback.logged.filter((event) => event.includes("defect") || event.includes("threw")),
      [],
    );
    assert.equal(loopback.deadlines.size, 0);
    assert.ok(loopback.exchanges.every((exchange) => exchange.gone));
    loopback.exchanges.length = 0;
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { maxLength: 25 }),
      fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 12 }),
      fc.integer({ min: 0, max: 4 }),
      run,
    ),
    { numRuns: 100 },
  );
});
