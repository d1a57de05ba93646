/**
 * RFC 9113 section 5 against the running engine: states of streams, their identifiers, how many there
 * are, and how errors end. The list is http2.md.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { CODE, FLAGS, SETTINGS, TYPE } from "../http2/codes.ts";
import {
  continuationFrame,
  dataFrame,
  frame,
  goawayFrame,
  headersFrame,
  priorityFrame,
  rstStreamFrame,
  windowUpdateFrame,
} from "../http2/frames.ts";
import {
  assertAlive,
  assertConnectionError,
  assertStreamError,
  codeName,
  Http2Ground,
} from "../http2/ground.ts";
import { encodeIndexed, encodeLiterals, encodeReference } from "../http2/hpack.ts";
import { requestFields, statusOf } from "../http2/peer.ts";

const GET = encodeLiterals(requestFields("GET", "/"));
const POST = encodeLiterals(requestFields("POST", "/"));
const WHOLE = FLAGS.endHeaders | FLAGS.endStream;

const CONNECTION_ERRORS: readonly [
  name: string,
  codes: number | readonly number[],
  ...bytes: Buffer[],
][] = [
  // Section 5.1, idle.
  [
    "DATA on an idle stream ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    dataFrame(1, "x"),
  ],
  [
    "RST_STREAM on an idle stream ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    rstStreamFrame(1, CODE.cancel),
  ],
  [
    "WINDOW_UPDATE on an idle stream ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    windowUpdateFrame(1, 100),
  ],
  [
    "CONTINUATION on an idle stream ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    continuationFrame(1, GET, WHOLE),
  ],
  // Section 5.1.1.
  [
    "a stream with an even identifier ends the connection with PROTOCOL_ERROR",
    CODE.protocolError,
    headersFrame(2, GET, WHOLE),
  ],
  [
    "a stream with an identifier below a used one ends the connection",
    // Never used, it is closed by section 5.1.1, and it is an unexpected identifier by the same.
    [CODE.protocolError, CODE.streamClosed],
    headersFrame(5, GET, WHOLE),
    headersFrame(3, GET, WHOLE),
  ],
  [
    "DATA on a stream that was skipped ends the connection",
    [CODE.protocolError, CODE.streamClosed],
    headersFrame(5, GET, WHOLE),
    dataFrame(3, "x"),
  ],
];

for (const [name, codes, ...bytes] of CONNECTION_ERRORS) {
  test(name, async () => {
    await using ground = await Http2Ground.start();
    const caller = await ground.caller();
    const other = await ground.caller();
    caller.send(...bytes);
    await assertConnectionError(caller, codes);
    await assertAlive(other);
  });
}

test("DATA behind END_STREAM is a stream error STREAM_CLOSED", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => undefined);
  const caller = await ground.caller();
  caller.send(headersFrame(1, GET, WHOLE), dataFrame(1, "x"));
  await caller.until("RST_STREAM", () => caller.stream(1).reset !== undefined);
  ground.service.script(undefined);
  await assertStreamError(caller, 1, CODE.streamClosed);
});

test("HEADERS behind END_STREAM is an error STREAM_CLOSED", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => undefined);
  const caller = await ground.caller();
  caller.send(headersFrame(1, GET, WHOLE), headersFrame(1, GET, WHOLE));
  await caller.until(
    "an error",
    () => caller.stream(1).reset !== undefined || caller.goaway !== undefined,
  );
  const code = caller.stream(1).reset ?? caller.goaway?.code;
  assert.equal(codeName(code), "streamClosed");
});

test("WINDOW_UPDATE, PRIORITY and RST_STREAM behind END_STREAM are taken", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => undefined);
  const caller = await ground.caller();
  caller.send(headersFrame(1, GET, WHOLE), windowUpdateFrame(1, 10), priorityFrame(1, 0));
  await caller.roundTrip();
  caller.send(rstStreamFrame(1, CODE.cancel));
  await caller.roundTrip();
  assert.equal(caller.goaway, undefined);
  assert.equal(caller.stream(1).reset, undefined, "RST_STREAM is never answered with one");
  ground.service.script(undefined);
  await assertAlive(caller);
});

test("DATA on a stream that is closed at both sides is an error STREAM_CLOSED", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  await caller.get(1);
  caller.send(dataFrame(1, "x"));
  await caller.until(
    "an error",
    () => caller.stream(1).reset !== undefined || caller.goaway !== undefined,
  );
  const code = caller.stream(1).reset ?? caller.goaway?.code;
  assert.equal(codeName(code), "streamClosed");
});

test("HEADERS on a stream that is closed at both sides ends the connection", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  await caller.get(1);
  caller.send(headersFrame(1, GET, WHOLE));
  await assertConnectionError(caller, [CODE.streamClosed, CODE.protocolError]);
  assert.equal(ground.arrived().length, 1);
});

test("DATA behind the caller's own RST_STREAM is an error STREAM_CLOSED", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.send(headersFrame(1, POST, FLAGS.endHeaders), rstStreamFrame(1, CODE.cancel));
  caller.send(dataFrame(1, "x"));
  await caller.until(
    "an error",
    () => caller.stream(1).reset !== undefined || caller.goaway !== undefined,
  );
  const code = caller.stream(1).reset ?? caller.goaway?.code;
  assert.equal(codeName(code), "streamClosed");
});

test("WINDOW_UPDATE, RST_STREAM and PRIORITY on a closed stream are ignored", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  await caller.get(1);
  caller.send(windowUpdateFrame(1, 10), rstStreamFrame(1, CODE.noError), priorityFrame(1, 0));
  await assertAlive(caller);
  assert.equal(caller.goaway, undefined);
});

test("frames that were under way when the server reset a stream are ignored, and counted", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.send(headersFrame(1, POST, FLAGS.endHeaders), windowUpdateFrame(1, 0));
  await caller.until("RST_STREAM", () => caller.stream(1).reset !== undefined);
  // More than a connection's window in all: what is dropped is given back (section 6.9).
  const piece = Buffer.alloc(16_384);
  for (let sent = 0; sent < 16; sent += 1) {
    caller.send(dataFrame(1, piece));
    await caller.roundTrip();
  }
  caller.send(
    headersFrame(1, encodeLiterals([["x-trailer", "late"]]), WHOLE),
    windowUpdateFrame(1, 5),
  );
  await assertAlive(caller);
  assert.ok(returned() >= 16 * 16_384 - 65_535, `${returned()} bytes came back`);

  function returned(): number {
    return caller.frames
      .filter(({ type, streamId }) => type === TYPE.windowUpdate && streamId === 0)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
  }
});

test("the field block of a refused stream still changes the table", async () => {
  await using ground = await Http2Ground.start({ http2: { maxStreams: 1 } });
  ground.service.script(({ target }) =>
    target === "/" ? undefined : { bytes: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
  );
  const caller = await ground.caller();
  caller.send(headersFrame(1, GET, WHOLE));
  const indexed = encodeIndexed(["x-kept", "from a refused stream"]);
  caller.send(headersFrame(3, Buffer.concat([GET, indexed]), WHOLE));
  assert.equal(codeName((await caller.answer(3)).reset), "refusedStream");
  caller.send(rstStreamFrame(1, CODE.cancel));
  const block = Buffer.concat([encodeLiterals(requestFields("GET", "/next")), encodeReference(62)]);
  caller.send(headersFrame(5, block, WHOLE));
  assert.equal(statusOf(await caller.answer(5)), 200);
  const request = ground.arrived().find(({ target }) => target === "/next");
  assert.ok(request?.fields.some(([name, value]) => name === "x-kept" && /refused/.test(value)));
});

test("a stream beyond SETTINGS_MAX_CONCURRENT_STREAMS is refused with REFUSED_STREAM", async () => {
  await using ground = await Http2Ground.start({ http2: { maxStreams: 2 } });
  ground.service.script(() => undefined);
  const caller = await ground.caller();
  await caller.roundTrip();
  assert.equal(caller.settings.get(SETTINGS.maxConcurrentStreams), 2);
  for (const id of [1, 3, 5]) caller.send(headersFrame(id, GET, WHOLE));
  assert.equal(codeName((await caller.answer(5)).reset), "refusedStream");
  assert.equal(caller.stream(1).reset, undefined);
  // A place is free again when a stream has ended.
  ground.service.script(undefined);
  caller.send(rstStreamFrame(1, CODE.cancel));
  await assertAlive(caller);
});

test("the last thing before the end of a connection is a GOAWAY with its last stream", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  await caller.get(7);
  caller.send(dataFrame(0, "x"));
  await assertConnectionError(caller, CODE.protocolError);
  assert.equal(caller.goaway?.lastStreamId, 7);
  assert.equal(caller.frames.at(-1)?.type, TYPE.goaway);
});

test("a stream that is in flight when a connection error strikes is over for the service too", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => undefined);
  const caller = await ground.caller();
  caller.send(headersFrame(1, GET, WHOLE));
  while (ground.arrived().length === 0) await new Promise(setImmediate);
  caller.send(dataFrame(0, "x"));
  await assertConnectionError(caller, CODE.protocolError);
  const outcome = await ground.loopback.outcome(0);
  assert.equal(outcome.end, "caller-gone");
});

test("no frame but PRIORITY follows RST_STREAM on its stream", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.send(headersFrame(1, POST, FLAGS.endHeaders), windowUpdateFrame(1, 0));
  await caller.until("RST_STREAM", () => caller.stream(1).reset !== undefined);
  caller.send(dataFrame(1, "x", FLAGS.endStream), windowUpdateFrame(1, 1));
  await assertAlive(caller);
  const own = caller.frames.filter(({ streamId }) => streamId === 1);
  const reset = own.findIndex(({ type }) => type === TYPE.rstStream);
  // A second RST_STREAM says no more than the first, and a burst of late frames may earn one.
  assert.deepEqual(
    own.slice(reset + 1).filter(({ type }) => type !== TYPE.rstStream),
    [],
  );
});

test("RST_STREAM of the caller ends the request at the service", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => undefined);
  const caller = await ground.caller();
  caller.send(headersFrame(1, GET, WHOLE));
  while (ground.arrived().length === 0) await new Promise(setImmediate);
  caller.send(rstStreamFrame(1, CODE.cancel));
  const outcome = await ground.loopback.outcome(0);
  assert.equal(outcome.end, "caller-gone");
  ground.service.script(undefined);
  await assertAlive(caller);
});

test("a draining listener sends GOAWAY, lets what is in flight end, and closes", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => undefined);
  const caller = await ground.caller();
  caller.send(headersFrame(1, POST, FLAGS.endHeaders));
  while (ground.service.connections.length === 0) await new Promise(setImmediate);
  const closed = ground.loopback.listener.close(60_000);
  await caller.until("GOAWAY", () => caller.goaway !== undefined);
  assert.equal(codeName(caller.goaway?.code), "noError");
  ground.service.script(undefined);
  caller.data(1, "the rest", true);
  assert.equal(statusOf(await caller.answer(1)), 200);
  await caller.gone();
  caller.destroy();
  await closed;
});

test("a stream opened before the caller knows of the GOAWAY is served, one behind it is not", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(({ target }) =>
    target === "/held" ? undefined : { bytes: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
  );
  // Answers no PING by itself: the caller that has not heard of the GOAWAY yet.
  const caller = await ground.caller({ rude: true });
  caller.headers(1, requestFields("GET", "/held"));
  while (ground.arrived().length === 0) await new Promise(setImmediate);
  const closed = ground.loopback.listener.close(60_000);
  await caller.until("GOAWAY", () => caller.goaway !== undefined);
  assert.equal(caller.goaway?.lastStreamId, 2 ** 31 - 1);
  assert.equal(statusOf(await caller.get(3, "/crossed")), 200);
  const ping = caller.frames.find(({ type, flags }) => type === TYPE.ping && flags === 0);
  caller.send(frame(TYPE.ping, FLAGS.ack, 0, ping?.payload ?? ""));
  await caller.until("the last GOAWAY", () => caller.goaway?.lastStreamId === 3);
  caller.headers(5, requestFields("GET", "/late"));
  caller.send(rstStreamFrame(1, CODE.cancel));
  await caller.gone();
  assert.equal(caller.stream(5).heads.length, 0);
  assert.deepEqual(
    ground
      .arrived()
      .map(({ target }) => target)
      .toSorted(),
    ["/crossed", "/held"],
  );
  caller.destroy();
  await closed;
});

test("GOAWAY of the caller lets its open streams end, and closes", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.send(headersFrame(1, POST, FLAGS.endHeaders), goawayFrame(0, CODE.noError));
  caller.data(1, "the rest", true);
  assert.equal(statusOf(await caller.answer(1)), 200);
});

test("100 streams at once each get their own answer", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  const ids = Array.from({ length: 100 }, (_, index) => index * 2 + 1);
  for (const id of ids) caller.headers(id, requestFields("GET", `/${id}`));
  for (const id of ids) {
    const seen = await caller.answer(id);
    assert.equal(statusOf(seen), 200);
    assert.equal((JSON.parse(String(seen.body)) as { target?: unknown }).target, `/${id}`);
  }
});
