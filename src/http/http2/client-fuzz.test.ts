/**
 * Services that send anything at all: frames valid and not, in any order, cut anywhere. Whatever comes,
 * each request ends once, nothing throws inside, and the next service is reached as ever.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { FLAG, FRAME } from "../../wire/http2/codes.ts";
import { answer, GET, OK, POST, started } from "./client-ground.fixture.ts";
import { block, frame, number32, type RawHttp2 } from "./raw-service.fixture.ts";

const HEADS = [
  [":status", "200"],
  OK,
  [":status", "103"],
  [":status", "204"],
  ["x", "y"],
  ["grpc-status", "0"],
  [":status", "200", "connection", "close"],
  [],
].map((fields) => block(fields));

/** Streams that are open, were never, or could not be. */
const streamIds = fc.constantFrom(1, 1, 1, 3, 3, 0, 2, 5, 0x7fff_ffff);
const numbers = fc.constantFrom(0, 1, 3, 8, 65_535, 0x7fff_ffff, 0xffff_ffff);

const payloads = fc.oneof(
  fc.constantFrom(...HEADS),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  numbers.map(number32),
  fc.tuple(numbers, numbers).map((pair) => Buffer.concat(pair.map(number32))),
  fc.tuple(fc.integer({ min: 0, max: 9 }), numbers).map(([id, value]) => {
    return Buffer.concat([Buffer.from([0, id]), number32(value)]);
  }),
  fc.integer({ min: 0, max: 20_000 }).map((length) => Buffer.alloc(length, "d")),
);

const anything = fc
  .record({
    type: fc.integer({ min: 0, max: 11 }),
    flags: fc.constantFrom(0, 0, 1, 4, 4, 5, 8, 0x20, 0x2d, 0xff),
    streamId: streamIds,
    payload: payloads,
  })
  .map(frame);

/** What a service in order sends, so that what follows is not all refused for its order. */
const proper = fc.constantFrom(
  ...[1, 3].flatMap((streamId) => [
    frame({ type: FRAME.headers, flags: FLAG.endHeaders, streamId, payload: block(OK) }),
    frame({ type: FRAME.data, flags: 0, streamId, payload: Buffer.from("o") }),
    frame({ type: FRAME.data, flags: FLAG.endStream, streamId, payload: Buffer.from("k") }),
    frame({ type: FRAME.windowUpdate, flags: 0, streamId, payload: number32(100) }),
    frame({ type: FRAME.rstStream, flags: 0, streamId, payload: number32(7) }),
    frame({ type: FRAME.rstStream, flags: 0, streamId, payload: number32(0) }),
  ]),
  frame({
    type: FRAME.goaway,
    flags: 0,
    streamId: 0,
    payload: Buffer.concat([number32(1), number32(0)]),
  }),
);

test("whatever a service sends, each request ends once and nothing throws inside", async () => {
  await using ground = await started();
  const { proxy, service } = ground;
  const sequences = fc.array(
    fc.oneof({ weight: 3, arbitrary: proper }, { weight: 2, arbitrary: anything }),
    { maxLength: 12 },
  );
  const property = fc.asyncProperty(sequences, fc.nat(60), async (frames, cut) => {
    const { connections } = service;
    const [known, before] = [connections.length, proxy.outcomes.length];
    const bytes = Buffer.concat(frames);
    service.play = (connection) => {
      // What the first one hands back goes to another one, and is answered there.
      if (connection === connections[known]) playRogue(connection, bytes, cut);
      else playProper(connection);
    };
    const callers = [await ground.asked(GET), await ground.asked(POST)];
    while (proxy.outcomes.length < before + 2) await proxy.changed();
    for (const caller of callers) caller.destroy();
    for (const connection of connections.slice(known)) {
      connection.socket.destroy();
      await connection.untilClosed();
    }
    while (proxy.deadlines.size > 0) await new Promise((resolve) => setImmediate(resolve));
    const ends = proxy.outcomes.slice(before).map(({ end }) => end);
    assert.equal(ends.length, 2);
    assert.ok(!ends.includes("internal-error"));
    assert.deepEqual(
      proxy.logged.filter((event) => event.includes("defect")),
      [],
    );
  });
  await fc.assert(property, { numRuns: 200 });
});

/** Says all of it once it has heard two requests, in two pieces, and goes. */
function playRogue(connection: RawHttp2, bytes: Buffer, cut: number): void {
  let requests = 0;
  connection.settings();
  connection.heardFrame = ({ type }) => {
    if (type !== FRAME.headers) return;
    requests += 1;
    if (requests !== 2) return;
    connection.socket.write(bytes.subarray(0, cut));
    setImmediate(() => connection.socket.end(bytes.subarray(cut)));
  };
}

function playProper(connection: RawHttp2): void {
  connection.settings();
  connection.heardFrame = ({ type, streamId }) => {
    if (type === FRAME.headers) answer(connection, streamId);
  };
}
