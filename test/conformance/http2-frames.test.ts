/**
 * RFC 9113 sections 3.4, 4, 6 and 7 against the running engine: what a caller can do wrong with a
 * frame, frame type by frame type, and with which code it ends. The list is http2.md.
 */
import { strict as assert } from "node:assert";
import { connect } from "node:net";
import test from "node:test";
import { RawPeer } from "../../src/http/loopback.fixture.ts";
import { CLIENT_PREFACE, CODE, FLAGS, SETTINGS, TYPE } from "../http2/codes.ts";
import {
  continuationFrame,
  dataFrame,
  frame,
  goawayFrame,
  headersFrame,
  padded,
  pingFrame,
  priorityFrame,
  rstStreamFrame,
  settingsAckFrame,
  settingsFrame,
  uint32,
  windowUpdateFrame,
} from "../http2/frames.ts";
import {
  assertAlive,
  assertConnectionError,
  assertStreamError,
  Http2Ground,
} from "../http2/ground.ts";
import { encodeLiterals, encodeReference } from "../http2/hpack.ts";
import { type Http2Peer, requestFields, statusOf } from "../http2/peer.ts";

const GET = encodeLiterals(requestFields("GET", "/"));
const WHOLE = FLAGS.endHeaders | FLAGS.endStream;

/** What ends the connection: the bytes, and the code. */
const CONNECTION_ERRORS: readonly [name: string, code: number, ...bytes: Buffer[]][] = [
  // Section 4.2.
  [
    "a DATA frame above SETTINGS_MAX_FRAME_SIZE ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    headersFrame(1, encodeLiterals(requestFields("POST", "/")), FLAGS.endHeaders),
    dataFrame(1, Buffer.alloc(16_385)),
  ],
  [
    "a HEADERS frame above SETTINGS_MAX_FRAME_SIZE ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    headersFrame(
      1,
      encodeLiterals([...requestFields("GET", "/"), ["a", "b".repeat(17_000)]]),
      WHOLE,
    ),
  ],
  [
    "an unknown frame above SETTINGS_MAX_FRAME_SIZE ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    frame(0xfe, 0, 0, Buffer.alloc(16_385)),
  ],
  // Section 4.3.
  [
    "a field block that cannot be decoded ends the connection with COMPRESSION_ERROR",
    CODE.compressionError,
    headersFrame(1, encodeReference(200), WHOLE),
  ],
  [
    "a field block that ends within a field ends the connection with COMPRESSION_ERROR",
    CODE.compressionError,
    headersFrame(1, GET.subarray(0, -1), WHOLE),
  ],
  [
    "another frame within a field block ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(1, GET.subarray(0, 5), FLAGS.endStream),
    pingFrame("12345678"),
  ],
  [
    "another stream's HEADERS within a field block ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(1, GET.subarray(0, 5), FLAGS.endStream),
    headersFrame(3, GET, WHOLE),
  ],
  [
    "a frame of unknown type within a field block ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(1, GET.subarray(0, 5), FLAGS.endStream),
    frame(0xfe, 0, 1, "x"),
  ],
  // Section 6.1.
  [
    "DATA on stream 0 ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    dataFrame(0, "x"),
  ],
  [
    "DATA with padding as long as its payload ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(1, encodeLiterals(requestFields("POST", "/")), FLAGS.endHeaders),
    dataFrame(1, padded("abc", 0, 4), FLAGS.padded),
  ],
  [
    "padded DATA without its pad length ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    headersFrame(1, encodeLiterals(requestFields("POST", "/")), FLAGS.endHeaders),
    dataFrame(1, "", FLAGS.padded),
  ],
  // Section 6.2.
  [
    "HEADERS on stream 0 ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(0, GET, WHOLE),
  ],
  [
    "HEADERS with padding as long as its payload ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(1, padded(GET, 0, GET.length + 1), WHOLE | FLAGS.padded),
  ],
  [
    "HEADERS too short for its priority ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    headersFrame(1, Buffer.alloc(4), WHOLE | FLAGS.priority),
  ],
  // Section 6.3.
  [
    "PRIORITY on stream 0 ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    priorityFrame(0, 1),
  ],
  [
    "PRIORITY that is not 5 bytes on an idle stream ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    frame(TYPE.priority, 0, 77, Buffer.alloc(6)),
  ],
  // Section 6.4.
  [
    "RST_STREAM on stream 0 ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    rstStreamFrame(0, CODE.cancel),
  ],
  [
    "RST_STREAM that is not 4 bytes ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    headersFrame(1, encodeLiterals(requestFields("POST", "/")), FLAGS.endHeaders),
    frame(TYPE.rstStream, 0, 1, Buffer.alloc(3)),
  ],
  // Section 6.5.
  [
    "SETTINGS with ACK and a payload ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    frame(TYPE.settings, FLAGS.ack, 0, Buffer.alloc(6)),
  ],
  [
    "SETTINGS on a stream ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    frame(TYPE.settings, 0, 1),
  ],
  [
    "SETTINGS that is no multiple of 6 bytes ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    frame(TYPE.settings, 0, 0, Buffer.alloc(5)),
  ],
  [
    "SETTINGS_ENABLE_PUSH of 2 ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    settingsFrame([[SETTINGS.enablePush, 2]]),
  ],
  [
    "SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1 ends the connection with FLOW_CONTROL_ERROR",
    CODE.flowControlError,
    settingsFrame([[SETTINGS.initialWindowSize, 2 ** 31]]),
  ],
  [
    "SETTINGS_MAX_FRAME_SIZE below 16384 ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    settingsFrame([[SETTINGS.maxFrameSize, 16_383]]),
  ],
  [
    "SETTINGS_MAX_FRAME_SIZE above 2^24-1 ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    settingsFrame([[SETTINGS.maxFrameSize, 2 ** 24]]),
  ],
  // Section 6.6 and 8.4.
  [
    "PUSH_PROMISE of a client ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(1, GET, FLAGS.endHeaders),
    frame(TYPE.pushPromise, FLAGS.endHeaders, 1, Buffer.concat([uint32(2), GET])),
  ],
  // Section 6.7.
  [
    "PING on a stream ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    frame(TYPE.ping, 0, 1, "12345678"),
  ],
  [
    "PING that is not 8 bytes ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    pingFrame("1234567"),
  ],
  // Section 6.8.
  [
    "GOAWAY on a stream ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    frame(TYPE.goaway, 0, 1, Buffer.alloc(8)),
  ],
  [
    "GOAWAY below 8 bytes ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    frame(TYPE.goaway, 0, 0, Buffer.alloc(7)),
  ],
  // Section 6.9.
  [
    "WINDOW_UPDATE of 0 for the connection ends it with PROTOCOL_ERROR",
    CODE.protocolError,
    windowUpdateFrame(0, 0),
  ],
  [
    "WINDOW_UPDATE that is not 4 bytes ends the connection with FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    frame(TYPE.windowUpdate, 0, 0, Buffer.alloc(3)),
  ],
  [
    "a connection window above 2^31-1 ends the connection with FLOW_CONTROL_ERROR",
    CODE.flowControlError,
    windowUpdateFrame(0, 2 ** 31 - 1),
    windowUpdateFrame(0, 1),
  ],
  // Section 6.10.
  [
    "CONTINUATION on stream 0 ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    continuationFrame(0, GET, FLAGS.endHeaders),
  ],
  [
    "CONTINUATION behind END_HEADERS ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(1, GET, WHOLE),
    continuationFrame(1, GET, FLAGS.endHeaders),
  ],
  [
    "CONTINUATION of another stream ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(1, GET.subarray(0, 5), FLAGS.endStream),
    continuationFrame(3, GET.subarray(5), FLAGS.endHeaders),
  ],
  [
    "CONTINUATION behind DATA ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(1, encodeLiterals(requestFields("POST", "/")), FLAGS.endHeaders),
    dataFrame(1, "x"),
    continuationFrame(1, GET, FLAGS.endHeaders),
  ],
];

for (const [name, code, ...bytes] of CONNECTION_ERRORS) {
  test(name, async () => {
    await using ground = await Http2Ground.start();
    const caller = await ground.caller();
    const other = await ground.caller();
    caller.send(...bytes);
    await assertConnectionError(caller, code);
    await assertAlive(other);
  });
}

/** What ends a stream alone: its id is 1 in each. */
const STREAM_ERRORS: readonly [name: string, code: number, ...bytes: Buffer[]][] = [
  [
    "PRIORITY that is not 5 bytes is a stream error FRAME_SIZE_ERROR",
    CODE.frameSizeError,
    headersFrame(1, encodeLiterals(requestFields("POST", "/")), FLAGS.endHeaders),
    frame(TYPE.priority, 0, 1, Buffer.alloc(4)),
  ],
  [
    "WINDOW_UPDATE of 0 for a stream is a stream error PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(1, encodeLiterals(requestFields("POST", "/")), FLAGS.endHeaders),
    windowUpdateFrame(1, 0),
  ],
  [
    "a stream window above 2^31-1 is a stream error FLOW_CONTROL_ERROR",
    CODE.flowControlError,
    headersFrame(1, encodeLiterals(requestFields("POST", "/")), FLAGS.endHeaders),
    windowUpdateFrame(1, 2 ** 31 - 1),
  ],
];

for (const [name, code, ...bytes] of STREAM_ERRORS) {
  test(name, async () => {
    await using ground = await Http2Ground.start();
    const caller = await ground.caller();
    caller.send(...bytes);
    await assertStreamError(caller, 1, code);
  });
}

/** What must be ignored, or taken: a request behind it is answered. */
const HARMLESS: readonly [name: string, ...bytes: Buffer[]][] = [
  ["a frame of unknown type is ignored", frame(0xfe, 0xff, 0, "anything")],
  ["a frame of unknown type on an idle stream is ignored", frame(0xfe, 0xff, 77, "anything")],
  ["unknown flags of a PING are ignored", pingFrame("12345678", 0xfe)],
  ["the reserved bit of a stream identifier is ignored", frame(TYPE.ping, 0, 2 ** 31, "12345678")],
  ["an unknown setting is ignored", settingsFrame([[0xfff, 0xffffffff]])],
  ["PRIORITY of an idle stream is taken", priorityFrame(77, 0)],
  ["PRIORITY_UPDATE is ignored", frame(TYPE.priorityUpdate, 0, 0, "\0\0\0\x01u=1")],
  ["an acknowledged PING is not answered", pingFrame("answered", FLAGS.ack)],
  ["SETTINGS_ENABLE_PUSH of 1 is taken", settingsFrame([[SETTINGS.enablePush, 1]])],
  [
    "RST_STREAM with an unknown code is taken",
    headersFrame(1, encodeLiterals(requestFields("POST", "/")), FLAGS.endHeaders),
    rstStreamFrame(1, 0xdeadbeef),
  ],
  ["GOAWAY of a client does not end its requests", goawayFrame(0, CODE.noError, "bye")],
];

for (const [name, ...bytes] of HARMLESS) {
  test(name, async () => {
    await using ground = await Http2Ground.start();
    const caller = await ground.caller();
    caller.send(...bytes);
    await assertAlive(caller);
    assert.equal(caller.goaway, undefined);
    assert.equal(
      caller.frames.some(({ payload }) => payload.toString() === "answered"),
      false,
    );
  });
}

test("the first frame of the server is SETTINGS", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  await caller.get(1);
  assert.equal(caller.frames[0]?.type, TYPE.settings);
  assert.equal(caller.frames[0]?.flags, 0);
});

test("SETTINGS are acknowledged, each once", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.send(settingsFrame([]), settingsFrame([[SETTINGS.enablePush, 0]]));
  await caller.roundTrip();
  assert.equal(caller.acknowledged, 3);
});

test("the server sends no SETTINGS_ENABLE_PUSH but 0", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  await caller.get(1);
  assert.equal(caller.settings.get(SETTINGS.enablePush) ?? 0, 0);
});

test("PING is answered with its own payload", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.send(pingFrame("payload!"));
  const acked = (): boolean =>
    caller.frames.some(
      ({ type, flags, payload }) =>
        type === TYPE.ping && flags === FLAGS.ack && payload.toString() === "payload!",
    );
  await caller.until("the answer", acked);
});

test("a preface that breaks off otherwise is refused", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller({ mute: true });
  const text = CLIENT_PREFACE.toString("latin1").replace("SM", "XX");
  caller.send(Buffer.from(text, "latin1"));
  await caller.gone();
  assert.equal(ground.arrived().length, 0);
});

test("a first frame that is not SETTINGS ends the connection with PROTOCOL_ERROR", async () => {
  await using ground = await Http2Ground.start();
  for (const first of [headersFrame(1, GET, WHOLE), pingFrame("12345678"), settingsAckFrame()]) {
    const caller = await ground.caller({ mute: true });
    caller.send(CLIENT_PREFACE, first);
    await assertConnectionError(caller, CODE.protocolError);
  }
  assert.equal(ground.arrived().length, 0);
});

test("a connection that begins with the preface is HTTP/2, any other is HTTP/1.1", async () => {
  await using ground = await Http2Ground.start();
  const { port } = ground.loopback.listener.address;
  // As long as it may still become the preface, it is not decided.
  for (const bytes of ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "P"]) {
    const peer = new RawPeer(connect({ port, host: "127.0.0.1", allowHalfOpen: true }));
    for (const byte of bytes) peer.send(byte);
    if (bytes === "P") peer.send("OST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert.match(await peer.until("\r\n\r\n"), /^HTTP\/1\.1 200 /);
    peer.destroy();
  }
});

test("a preface and frames that come byte by byte are read", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller({ mute: true, rude: true });
  const bytes = Buffer.concat([CLIENT_PREFACE, settingsFrame([]), headersFrame(1, GET, WHOLE)]);
  for (const byte of bytes) {
    caller.send(Buffer.of(byte));
    await new Promise(setImmediate);
  }
  assert.equal(statusOf(await caller.answer(1)), 200);
});

test("a field block over many CONTINUATIONs is one block", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.send(headersFrame(1, GET.subarray(0, 1), FLAGS.endStream));
  for (let at = 1; at < GET.length; at += 20) {
    const last = at + 20 >= GET.length;
    caller.send(continuationFrame(1, GET.subarray(at, at + 20), last ? FLAGS.endHeaders : 0));
  }
  assert.equal(statusOf(await caller.answer(1)), 200);
});

test("padding and priority are taken off", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  const block = encodeLiterals(requestFields("POST", "/"));
  const withPriority = Buffer.concat([uint32(0), Buffer.of(15), block]);
  const flags = FLAGS.endHeaders | FLAGS.padded | FLAGS.priority;
  caller.send(
    headersFrame(1, padded(withPriority, 20), flags),
    dataFrame(1, padded("hello", 100), FLAGS.padded),
    dataFrame(1, padded("", 0), FLAGS.padded | FLAGS.endStream),
  );
  assert.equal(bodyOf(await bodyText(caller, 1)), "hello");
});

test("a HEADERS frame as large as SETTINGS_MAX_FRAME_SIZE is taken", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  const base = encodeLiterals([...requestFields("GET", "/"), ["a", ""]]).length;
  const value = "b".repeat(16_384 - base - 2);
  const block = encodeLiterals([...requestFields("GET", "/"), ["a", value]]);
  assert.equal(block.length, 16_384);
  caller.send(headersFrame(1, block, WHOLE));
  assert.equal(statusOf(await caller.answer(1)), 200);
});

async function bodyText(caller: Http2Peer, streamId: number): Promise<string> {
  return String((await caller.answer(streamId)).body);
}

/** What the recording service says that it was sent. */
function bodyOf(answer: string): unknown {
  return (JSON.parse(answer) as { body?: unknown }).body;
}
