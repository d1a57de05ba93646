import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { FLAG, FRAME, H2_ERROR } from "./codes.ts";
import type { FrameLimits } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import {
  EMPTY_SETTINGS,
  frame,
  type FrameCall,
  loggedReader,
  readFrames,
  uint32,
} from "./frames.fixture.ts";

const PROTOCOL = ["fault", H2_ERROR.protocolError, 0];
const SIZE = ["fault", H2_ERROR.frameSizeError, 0];
const calm = (flood: string) => ["fault", H2_ERROR.enhanceYourCalm, 0, flood];

const eight = Buffer.from("01020304050607ff", "hex");
const setting = (id: number, value: number): Buffer =>
  Buffer.concat([Buffer.from([id >> 8, id & 0xff]), uint32(value)]);

test("FrameReader.read() tells of every type", () => {
  const cases: [bytes: Buffer, call: FrameCall][] = [
    [frame(FRAME.data, { streamId: 1, payload: [1, 2] }), ["data", 1, "0102", false, 2]],
    [frame(FRAME.data, { flags: FLAG.endStream, streamId: 3 }), ["data", 3, "", true, 0]],
    [
      frame(FRAME.data, { flags: FLAG.padded, streamId: 1, payload: [2, 7, 8, 0, 0] }),
      ["data", 1, "0708", false, 5],
    ],
    [
      frame(FRAME.data, { flags: FLAG.padded, streamId: 1, payload: [0] }),
      ["data", 1, "", false, 1],
    ],
    [
      frame(FRAME.headers, { flags: FLAG.endHeaders, streamId: 1, payload: [9] }),
      ["headers", 1, "09", false],
    ],
    [
      frame(FRAME.headers, {
        flags: FLAG.endHeaders | FLAG.endStream | FLAG.padded | FLAG.priority,
        streamId: 0x7fff_ffff,
        payload: [1, 0, 0, 0, 0, 200, 9, 8, 0],
      }),
      ["headers", 0x7fff_ffff, "0908", true],
    ],
    [frame(FRAME.priority, { streamId: 2, payload: [0, 0, 0, 2, 1] }), ["priority", 2]],
    [
      frame(FRAME.rstStream, { streamId: 1, payload: uint32(0xffff_ffff) }),
      ["rstStream", 1, 0xffff_ffff],
    ],
    [frame(FRAME.settings), ["settings", []]],
    [
      frame(FRAME.settings, {
        payload: Buffer.concat([setting(1, 7), setting(0xabcd, 0xffff_ffff)]),
      }),
      [
        "settings",
        [
          [1, 7],
          [0xabcd, 0xffff_ffff],
        ],
      ],
    ],
    [frame(FRAME.settings, { flags: FLAG.ack }), ["settingsAck"]],
    [frame(FRAME.ping, { payload: eight }), ["ping", "01020304050607ff", false]],
    [frame(FRAME.ping, { flags: FLAG.ack, payload: eight }), ["ping", "01020304050607ff", true]],
    [
      frame(FRAME.goaway, {
        payload: Buffer.concat([uint32(0x8000_0007), uint32(2), Buffer.from("why")]),
      }),
      ["goaway", 7, 2],
    ],
    [frame(FRAME.windowUpdate, { payload: uint32(0x8000_0001) }), ["windowUpdate", 0, 1]],
    [
      frame(FRAME.windowUpdate, { streamId: 5, payload: uint32(0x7fff_ffff) }),
      ["windowUpdate", 5, 0x7fff_ffff],
    ],
    [frame(0x0a, { streamId: 4, payload: [1, 2, 3] }), ["unknown", 0x0a]],
    [frame(0xff), ["unknown", 0xff]],
  ];
  for (const [bytes, call] of cases) assert.deepEqual(readFrames(bytes), [call]);
  assert.deepEqual(
    readFrames(Buffer.concat(cases.map(([bytes]) => bytes))),
    cases.map(([, call]) => call),
  );
});

test("FrameReader.read() ignores the reserved bit and flags without a meaning", () => {
  const ping = frame(FRAME.ping, { flags: 0xfe, streamId: 0x8000_0000, payload: eight });
  assert.deepEqual(readFrames(ping), [["ping", "01020304050607ff", false]]);
  const data = frame(FRAME.data, { flags: 0xf6, streamId: 0x8000_0001, payload: [1] });
  assert.deepEqual(readFrames(data), [["data", 1, "01", false, 1]]);
});

test("FrameReader.read() puts a block together over CONTINUATION frames", () => {
  const bytes = Buffer.concat([
    frame(FRAME.headers, { flags: FLAG.padded | FLAG.endStream, streamId: 1, payload: [1, 5, 0] }),
    frame(FRAME.continuation, { streamId: 1, payload: [6, 7] }),
    frame(FRAME.continuation, { streamId: 1 }),
    frame(FRAME.continuation, { flags: FLAG.endHeaders, streamId: 1, payload: [8] }),
    frame(FRAME.ping, { payload: eight }),
  ]);
  assert.deepEqual(readFrames(bytes), [
    ["headers", 1, "05060708", true],
    ["ping", "01020304050607ff", false],
  ]);
});

const headers = (flags: number, payload: readonly number[], streamId = 1): Buffer =>
  frame(FRAME.headers, { flags, streamId, payload });

/** A frame that breaks a rule; what comes after it must not be read. */
const REFUSED: [title: string, bytes: Buffer, call: FrameCall, limits?: Partial<FrameLimits>][] = [
  // Section 4.2.
  ["a frame longer than our maximum", frame(0x0a, { length: 16_385 }), SIZE],
  ["DATA longer than our maximum", frame(FRAME.data, { streamId: 1, length: 0xff_ffff }), SIZE],
  // Section 5.1.1: nobody but a pushing server opens even ones.
  ["DATA on an even stream", frame(FRAME.data, { streamId: 2 }), PROTOCOL],
  ["HEADERS on an even stream", headers(FLAG.endHeaders, [], 2), PROTOCOL],
  [
    "RST_STREAM on an even stream",
    frame(FRAME.rstStream, { streamId: 2, payload: uint32(8) }),
    PROTOCOL,
  ],
  [
    "WINDOW_UPDATE on an even stream",
    frame(FRAME.windowUpdate, { streamId: 2, payload: uint32(8) }),
    PROTOCOL,
  ],
  // Section 6.1.
  ["DATA on stream 0", frame(FRAME.data), PROTOCOL],
  [
    "padding as long as the payload",
    frame(FRAME.data, { flags: FLAG.padded, streamId: 1, payload: [2, 1] }),
    PROTOCOL,
  ],
  ["padded DATA without its length", frame(FRAME.data, { flags: FLAG.padded, streamId: 1 }), SIZE],
  // Section 6.2.
  ["HEADERS on stream 0", headers(FLAG.endHeaders, [], 0), PROTOCOL],
  [
    "padding into the priority",
    headers(FLAG.endHeaders | FLAG.padded | FLAG.priority, [1, 0, 0, 0, 0, 0]),
    PROTOCOL,
  ],
  ["padding longer than the block", headers(FLAG.endHeaders | FLAG.padded, [3, 1, 1]), PROTOCOL],
  [
    "HEADERS too short for a priority",
    headers(FLAG.endHeaders | FLAG.priority, [0, 0, 0, 0]),
    SIZE,
  ],
  ["padded HEADERS without their length", headers(FLAG.endHeaders | FLAG.padded, []), SIZE],
  // Section 6.3.
  ["PRIORITY on stream 0", frame(FRAME.priority, { payload: [0, 0, 0, 1, 1] }), PROTOCOL],
  // Section 6.4.
  ["RST_STREAM on stream 0", frame(FRAME.rstStream, { payload: uint32(8) }), PROTOCOL],
  ["RST_STREAM of 3 bytes", frame(FRAME.rstStream, { streamId: 1, payload: [0, 0, 0] }), SIZE],
  [
    "RST_STREAM of 5 bytes",
    frame(FRAME.rstStream, { streamId: 1, payload: [0, 0, 0, 0, 8] }),
    SIZE,
  ],
  // Section 6.5.
  ["SETTINGS on a stream", frame(FRAME.settings, { streamId: 1 }), PROTOCOL],
  ["SETTINGS of 5 bytes", frame(FRAME.settings, { payload: [0, 1, 0, 0, 0] }), SIZE],
  [
    "an acknowledgement with settings",
    frame(FRAME.settings, { flags: FLAG.ack, payload: setting(1, 1) }),
    SIZE,
  ],
  ["SETTINGS_ENABLE_PUSH 2", frame(FRAME.settings, { payload: setting(2, 2) }), PROTOCOL],
  [
    "SETTINGS_ENABLE_PUSH 1 from a server",
    frame(FRAME.settings, { payload: setting(2, 1) }),
    PROTOCOL,
    { side: "client" },
  ],
  [
    "SETTINGS_INITIAL_WINDOW_SIZE 2^31",
    frame(FRAME.settings, { payload: setting(4, 0x8000_0000) }),
    ["fault", H2_ERROR.flowControlError, 0],
  ],
  [
    "SETTINGS_MAX_FRAME_SIZE below 2^14",
    frame(FRAME.settings, { payload: setting(5, 16_383) }),
    PROTOCOL,
  ],
  [
    "SETTINGS_MAX_FRAME_SIZE beyond 2^24 - 1",
    frame(FRAME.settings, { payload: setting(5, 0x100_0000) }),
    PROTOCOL,
  ],
  [
    "SETTINGS_ENABLE_CONNECT_PROTOCOL 2",
    frame(FRAME.settings, { payload: setting(8, 2) }),
    PROTOCOL,
  ],
  ["SETTINGS_NO_RFC7540_PRIORITIES 2", frame(FRAME.settings, { payload: setting(9, 2) }), PROTOCOL],
  [
    "a bad setting behind good ones",
    frame(FRAME.settings, { payload: Buffer.concat([setting(2, 0), setting(2, 3)]) }),
    PROTOCOL,
  ],
  [
    "more settings than the limit",
    frame(FRAME.settings, {
      payload: Buffer.concat([setting(77, 0), setting(77, 0), setting(77, 0)]),
    }),
    calm("settingsPairs"),
    { maxSettings: 2 },
  ],
  // Section 6.6: clients may not push, and ours lets nobody push.
  [
    "PUSH_PROMISE to a server",
    frame(FRAME.pushPromise, { flags: FLAG.endHeaders, streamId: 1, payload: uint32(2) }),
    PROTOCOL,
  ],
  [
    "PUSH_PROMISE to a client",
    frame(FRAME.pushPromise, { flags: FLAG.endHeaders, streamId: 1, payload: uint32(2) }),
    PROTOCOL,
    { side: "client" },
  ],
  // Section 6.7.
  ["PING on a stream", frame(FRAME.ping, { streamId: 1, payload: eight }), PROTOCOL],
  ["PING of 7 bytes", frame(FRAME.ping, { payload: eight.subarray(1) }), SIZE],
  ["PING of 9 bytes", frame(FRAME.ping, { payload: [...eight, 0] }), SIZE],
  // Section 6.8.
  ["GOAWAY on a stream", frame(FRAME.goaway, { streamId: 1, payload: eight }), PROTOCOL],
  ["GOAWAY of 7 bytes", frame(FRAME.goaway, { payload: eight.subarray(1) }), SIZE],
  // Section 6.9.
  ["WINDOW_UPDATE of 3 bytes", frame(FRAME.windowUpdate, { payload: [0, 0, 1] }), SIZE],
  [
    "WINDOW_UPDATE of 5 bytes on a stream",
    frame(FRAME.windowUpdate, { streamId: 1, payload: [0, 0, 0, 0, 1] }),
    SIZE,
  ],
  ["an increment of 0", frame(FRAME.windowUpdate, { payload: uint32(0) }), PROTOCOL],
  [
    "an increment of the reserved bit alone",
    frame(FRAME.windowUpdate, { payload: uint32(0x8000_0000) }),
    PROTOCOL,
  ],
  // Section 6.10.
  [
    "CONTINUATION without HEADERS",
    frame(FRAME.continuation, { flags: FLAG.endHeaders, streamId: 1 }),
    PROTOCOL,
  ],
  [
    "CONTINUATION behind a whole block",
    Buffer.concat([
      headers(FLAG.endHeaders, []),
      frame(FRAME.continuation, { flags: FLAG.endHeaders, streamId: 1 }),
    ]),
    PROTOCOL,
  ],
  [
    "CONTINUATION of another stream",
    Buffer.concat([
      headers(0, []),
      frame(FRAME.continuation, { flags: FLAG.endHeaders, streamId: 3 }),
    ]),
    PROTOCOL,
  ],
  ...[
    frame(FRAME.data, { streamId: 1 }),
    headers(FLAG.endHeaders, [], 1),
    headers(FLAG.endHeaders, [], 3),
    frame(FRAME.priority, { streamId: 1, payload: [0, 0, 0, 1, 1] }),
    frame(FRAME.rstStream, { streamId: 1, payload: uint32(8) }),
    frame(FRAME.settings),
    frame(FRAME.ping, { payload: eight }),
    frame(FRAME.goaway, { payload: eight }),
    frame(FRAME.windowUpdate, { payload: uint32(1) }),
    frame(0x0a, { streamId: 1 }),
  ].map((within): [string, Buffer, FrameCall] => [
    `type ${within[3]} within a block`,
    Buffer.concat([headers(0, []), within]),
    PROTOCOL,
  ]),
  // The CONTINUATION flood, in its shapes.
  [
    "a block larger than the limit in HEADERS",
    headers(FLAG.endHeaders, [1, 2, 3, 4]),
    calm("headerBlockBytes"),
    { maxBlockBytes: 3 },
  ],
  [
    "a block larger than the limit over CONTINUATION",
    Buffer.concat([
      headers(0, [1, 2]),
      frame(FRAME.continuation, { streamId: 1, payload: [3] }),
      frame(FRAME.continuation, { streamId: 1, length: 1 }),
    ]),
    calm("headerBlockBytes"),
    { maxBlockBytes: 3 },
  ],
  [
    "empty CONTINUATION frames without end",
    Buffer.concat([
      headers(0, [1, 2]),
      frame(FRAME.continuation, { streamId: 1 }),
      frame(FRAME.continuation, { streamId: 1 }),
      frame(FRAME.continuation, { streamId: 1 }),
    ]),
    calm("continuations"),
    { maxContinuations: 2 },
  ],
];

for (const [title, bytes, call, limits] of REFUSED) {
  test(`FrameReader.read() refuses ${title} and reads no more`, () => {
    const after = frame(FRAME.ping, { payload: eight });
    const calls = readFrames(Buffer.concat([bytes, after]), limits);
    assert.deepEqual(calls.at(-1), call);
    assert.ok(calls.slice(0, -1).every(([verb]) => verb !== "fault"));
    assert.ok(calls.every(([verb]) => verb !== "ping"));
  });
}

test("FrameReader.read() takes what lies at the limits", () => {
  const largest = frame(FRAME.data, { streamId: 1, payload: Buffer.alloc(16_384) });
  assert.equal(readFrames(largest)[0]?.[0], "data");
  const block = Buffer.concat([
    headers(0, [1, 2]),
    frame(FRAME.continuation, { streamId: 1 }),
    frame(FRAME.continuation, { flags: FLAG.endHeaders, streamId: 1, payload: [3] }),
  ]);
  const limits = { maxBlockBytes: 3, maxContinuations: 2, maxSettings: 6 };
  assert.deepEqual(readFrames(block, limits), [["headers", 1, "010203", false]]);
  const settings = [
    setting(2, 1),
    setting(4, 0x7fff_ffff),
    setting(5, 16_384),
    setting(5, 0xff_ffff),
    setting(8, 1),
    setting(9, 1),
  ];
  const read = readFrames(frame(FRAME.settings, { payload: Buffer.concat(settings) }), limits);
  assert.equal(read[0]?.[0], "settings");
  // A server may say that it will not push, of all things.
  const noPush = frame(FRAME.settings, { payload: setting(2, 0) });
  assert.deepEqual(readFrames(noPush, { side: "client" }), [["settings", [[2, 0]]]]);
});

test("FrameReader.read() goes on after an error of one stream", () => {
  const bytes = Buffer.concat([
    frame(FRAME.priority, { streamId: 3, payload: [0, 0, 0, 1] }),
    frame(FRAME.windowUpdate, { streamId: 5, payload: uint32(0) }),
    frame(FRAME.ping, { payload: eight }),
  ]);
  assert.deepEqual(readFrames(bytes), [
    ["fault", H2_ERROR.frameSizeError, 3],
    ["fault", H2_ERROR.protocolError, 5],
    ["ping", "01020304050607ff", false],
  ]);
});

test("FrameReader.read() wants SETTINGS first, and no acknowledgement", () => {
  for (const first of [
    frame(FRAME.ping, { payload: eight }),
    frame(FRAME.settings, { flags: FLAG.ack }),
    frame(0x0a),
    Buffer.from("HTTP/1.1 200 OK\r\n\r\n"),
  ]) {
    const { reader, calls } = loggedReader({ side: "client" });
    reader.read(first);
    assert.equal(calls.length, 1);
    assert.equal(calls[0]?.[0], "fault");
  }
  const { reader, calls } = loggedReader();
  reader.read(EMPTY_SETTINGS);
  assert.deepEqual(calls, [["settings", []]]);
});

test("FrameReader.read() refuses a frame by its header, before its payload comes", () => {
  const { reader, calls } = loggedReader();
  reader.read(EMPTY_SETTINGS);
  reader.read(frame(FRAME.ping, { streamId: 1, length: 8 }));
  assert.deepEqual(calls.at(-1), PROTOCOL);
});

test("FrameReader.partial says whether something has begun and not ended", () => {
  const { reader } = loggedReader();
  assert.equal(reader.partial, false);
  reader.read(EMPTY_SETTINGS.subarray(0, 1));
  assert.equal(reader.partial, true);
  reader.read(EMPTY_SETTINGS.subarray(1));
  assert.equal(reader.partial, false);
  const ping = frame(FRAME.ping, { payload: eight });
  reader.read(ping.subarray(0, 9));
  assert.equal(reader.partial, true);
  reader.read(ping.subarray(9));
  assert.equal(reader.partial, false);
  reader.read(headers(0, [1]));
  assert.equal(reader.partial, true);
  reader.read(frame(FRAME.continuation, { flags: FLAG.endHeaders, streamId: 1 }));
  assert.equal(reader.partial, false);
});

test("FrameReader.stop() ends the reading of the chunk that is being read", () => {
  const { reader, calls } = loggedReader();
  const stopping = calls;
  stopping.push = function push(this: FrameCall[], call: FrameCall): number {
    reader.stop();
    return Array.prototype.push.call(this, call);
  };
  reader.read(Buffer.concat([EMPTY_SETTINGS, EMPTY_SETTINGS]));
  reader.read(EMPTY_SETTINGS);
  assert.equal(calls.length, 1);
});

test("FrameReader.read() keeps no part of a chunk in a block that came in pieces", () => {
  const { reader, calls } = loggedReader();
  const first = Buffer.concat([EMPTY_SETTINGS, headers(0, [1, 2])]);
  reader.read(first);
  first.fill(0xee);
  reader.read(frame(FRAME.continuation, { flags: FLAG.endHeaders, streamId: 1, payload: [3] }));
  assert.deepEqual(calls.at(-1), ["headers", 1, "010203", false]);
});

const streamId = fc.oneof(
  fc.constantFrom(1, 3, 0x7fff_ffff),
  fc.integer({ min: 1, max: 99 }).map((n) => 2 * n + 1),
);
const bytesOf = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));

/** One verb of the writer and what a reader has to hear of it. */
const written = fc.oneof(
  fc.tuple(streamId, bytesOf(40), fc.boolean()).map(([id, bytes, end]) => ({
    write: (to: FrameWriter) => to.data(id, bytes, end),
    call: ["data", id, bytes.toString("hex"), end, bytes.length],
  })),
  fc.tuple(streamId, bytesOf(40), fc.boolean()).map(([id, bytes, end]) => ({
    write: (to: FrameWriter) => to.headers(id, bytes, end),
    call: ["headers", id, bytes.toString("hex"), end],
  })),
  fc.tuple(streamId, fc.integer({ min: 0, max: 0xffff_ffff })).map(([id, code]) => ({
    write: (to: FrameWriter) => to.rstStream(id, code),
    call: ["rstStream", id, code],
  })),
  fc
    .array(fc.tuple(fc.constantFrom(1, 3, 6, 77), fc.integer({ min: 0, max: 0xffff_ffff })), {
      maxLength: 5,
    })
    .map((pairs) => ({
      write: (to: FrameWriter) => to.settings(pairs),
      call: ["settings", pairs],
    })),
  fc.constant({ write: (to: FrameWriter) => to.settingsAck(), call: ["settingsAck"] }),
  fc.tuple(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.boolean()).map(([bytes, ack]) => ({
    write: (to: FrameWriter) => to.ping(Buffer.from(bytes), ack),
    call: ["ping", Buffer.from(bytes).toString("hex"), ack],
  })),
  fc.tuple(fc.oneof(streamId, fc.constant(0)), fc.nat(13)).map(([id, code]) => ({
    write: (to: FrameWriter) => to.goaway(id, code),
    call: ["goaway", id, code],
  })),
  fc
    .tuple(fc.oneof(streamId, fc.constant(0)), fc.integer({ min: 1, max: 0x7fff_ffff }))
    .map(([id, increment]) => ({
      write: (to: FrameWriter) => to.windowUpdate(id, increment),
      call: ["windowUpdate", id, increment],
    })),
);

/** The bytes in pieces that end where the cuts are. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

test("FrameReader.read() hears what FrameWriter wrote, cut anywhere", () => {
  fc.assert(
    fc.property(fc.array(written, { maxLength: 8 }), fc.array(fc.nat()), (frames, cuts) => {
      const writer = new FrameWriter();
      writer.settings([]);
      for (const { write } of frames) write(writer);
      const { reader, calls } = loggedReader();
      for (const piece of pieces(Buffer.concat(writer.take()), cuts)) reader.read(piece);
      assert.deepEqual(
        calls.slice(1),
        frames.map(({ call }) => call),
      );
      assert.equal(reader.partial, false);
    }),
  );
});

test("FrameReader.read() hears the same whatever single byte the bytes are cut at", () => {
  const writer = new FrameWriter();
  writer.settings([[1, 2]]);
  writer.headers(1, Buffer.from("abc"), false);
  writer.data(1, Buffer.from("defg"), true);
  writer.windowUpdate(0, 9);
  const bytes = Buffer.concat([
    ...writer.take(),
    headers(FLAG.padded, [1, 5, 0], 3),
    frame(FRAME.continuation, { flags: FLAG.endHeaders, streamId: 3, payload: [6] }),
    frame(FRAME.ping, { streamId: 1, payload: eight }),
  ]);
  const whole = loggedReader();
  whole.reader.read(bytes);
  assert.equal(whole.calls.length, 6);
  for (let cut = 1; cut < bytes.length; cut++) {
    const { reader, calls } = loggedReader();
    reader.read(bytes.subarray(0, cut));
    reader.read(bytes.subarray(cut));
    assert.deepEqual(calls, whole.calls, `cut at ${cut}`);
  }
});

/** Frames of known types with anything in them, and junk. */
const anything = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.oneof(fc.nat(9), fc.nat(255)),
        fc.oneof(fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0x2d), fc.nat(255)),
        fc.oneof(fc.nat(3), fc.nat(0x7fff_ffff)),
        fc.oneof(
          fc.constantFrom(uint32(0), uint32(5), eight, setting(4, 0x8000_0000)),
          bytesOf(20),
        ),
      )
      .map(([type, flags, id, payload]) => frame(type, { flags, streamId: id, payload })),
  },
  { weight: 1, arbitrary: bytesOf(12) },
  { weight: 2, arbitrary: fc.constant(headers(0, [1])) },
  { weight: 2, arbitrary: fc.constant(frame(FRAME.continuation, { streamId: 1 })) },
);

test("FrameReader.read() never throws, hears the same in any pieces, and nothing after a fault", () => {
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 12 }), fc.array(fc.nat()), (frames, cuts) => {
      const bytes = Buffer.concat([EMPTY_SETTINGS, ...frames]);
      const whole = loggedReader();
      whole.reader.read(bytes);
      const cut = loggedReader();
      for (const piece of pieces(bytes, cuts)) cut.reader.read(piece);
      assert.deepEqual(cut.calls, whole.calls);
      const fatal = whole.calls.findIndex(([verb, , id]) => verb === "fault" && id === 0);
      assert.ok(fatal === -1 || fatal === whole.calls.length - 1);
      if (fatal !== -1) assert.equal(whole.reader.partial, false);
    }),
    { numRuns: 2000 },
  );
});
