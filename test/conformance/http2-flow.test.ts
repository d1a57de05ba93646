/**
 * RFC 9113 sections 5.2 and 6.9 against the running engine, in both directions: what the caller's
 * windows and settings allow is never passed, what ours allow is enforced, and a stream that is not
 * read stands in no other's way. The list is http2.md.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { CODE, DEFAULTS, FLAGS, SETTINGS, TYPE } from "../http2/codes.ts";
import { dataFrame, headersFrame, settingsFrame, windowUpdateFrame } from "../http2/frames.ts";
import { assertAlive, assertConnectionError, codeName, Http2Ground } from "../http2/ground.ts";
import { encodeLiterals } from "../http2/hpack.ts";
import { type Http2Peer, requestFields, statusOf } from "../http2/peer.ts";

const POST = encodeLiterals(requestFields("POST", "/"));

/** The service answers with so many bytes. */
function answerWith(ground: Http2Ground, bytes: number): void {
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`;
  ground.service.script(() => ({ bytes: head + "a".repeat(bytes) }));
}

test("no more DATA is sent than the window of the stream", async () => {
  await using ground = await Http2Ground.start();
  answerWith(ground, 1000);
  const caller = await ground.caller({
    settings: [[SETTINGS.initialWindowSize, 10]],
    keepsWindows: true,
  });
  caller.headers(1, requestFields("GET", "/"));
  await caller.until("10 bytes", () => caller.stream(1).body.length === 10);
  await caller.roundTrip();
  assert.equal(caller.stream(1).body.length, 10);
  caller.send(windowUpdateFrame(1, 5));
  await caller.until("15 bytes", () => caller.stream(1).body.length === 15);
  await caller.roundTrip();
  assert.equal(caller.stream(1).body.length, 15);
  caller.send(windowUpdateFrame(1, 1000));
  assert.equal((await caller.answer(1)).body.length, 1000);
});

test("no more DATA is sent than the window of the connection", async () => {
  await using ground = await Http2Ground.start();
  answerWith(ground, 100_000);
  const caller = await ground.caller({
    settings: [[SETTINGS.initialWindowSize, 1_000_000]],
    keepsWindows: true,
  });
  caller.headers(1, requestFields("GET", "/"));
  caller.headers(3, requestFields("GET", "/"));
  const total = (): number => caller.stream(1).body.length + caller.stream(3).body.length;
  await caller.until("a window", () => total() === DEFAULTS.window);
  await caller.roundTrip();
  assert.equal(total(), DEFAULTS.window);
  caller.send(windowUpdateFrame(0, 200_000));
  assert.equal((await caller.answer(1)).body.length, 100_000);
  assert.equal((await caller.answer(3)).body.length, 100_000);
});

test("an answer without a body needs no window", async () => {
  await using ground = await Http2Ground.start();
  answerWith(ground, 0);
  const caller = await ground.caller({
    settings: [[SETTINGS.initialWindowSize, 0]],
    keepsWindows: true,
  });
  const seen = await caller.get(1);
  assert.equal(statusOf(seen), 200);
});

test("SETTINGS_INITIAL_WINDOW_SIZE changes the windows of open streams, below zero too", async () => {
  await using ground = await Http2Ground.start();
  answerWith(ground, 1000);
  const caller = await ground.caller({
    settings: [[SETTINGS.initialWindowSize, 100]],
    keepsWindows: true,
  });
  caller.headers(1, requestFields("GET", "/"));
  await caller.until("100 bytes", () => caller.stream(1).body.length === 100);
  // Now -60, then 0, then 10: the window is what is left, not what was granted.
  caller.send(settingsFrame([[SETTINGS.initialWindowSize, 40]]), windowUpdateFrame(1, 60));
  await caller.roundTrip();
  assert.equal(caller.stream(1).body.length, 100);
  caller.send(settingsFrame([[SETTINGS.initialWindowSize, 50]]));
  await caller.until("110 bytes", () => caller.stream(1).body.length === 110);
  await caller.roundTrip();
  assert.equal(caller.stream(1).body.length, 110);
  caller.send(windowUpdateFrame(1, 1000));
  assert.equal((await caller.answer(1)).body.length, 1000);
});

test("a setting that takes a stream's window above 2^31-1 ends the connection with FLOW_CONTROL_ERROR", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.send(headersFrame(1, POST, FLAGS.endHeaders));
  caller.send(windowUpdateFrame(1, 2 ** 31 - 1 - DEFAULTS.window));
  await caller.roundTrip();
  assert.equal(caller.goaway, undefined);
  caller.send(settingsFrame([[SETTINGS.initialWindowSize, DEFAULTS.window + 1]]));
  await assertConnectionError(caller, CODE.flowControlError);
});

test("no frame is larger than the caller's SETTINGS_MAX_FRAME_SIZE", async () => {
  await using ground = await Http2Ground.start();
  answerWith(ground, 500_000);
  const caller = await ground.caller();
  assert.equal((await caller.get(1)).body.length, 500_000);
  for (const { payload } of caller.frames) assert.ok(payload.length <= DEFAULTS.maxFrameSize);
});

test("a larger answer head than a frame is continued", async () => {
  await using ground = await Http2Ground.start();
  const fields = Array.from({ length: 30 }, (_, index) => `X-${index}: ${"v".repeat(900)}\r\n`);
  ground.service.script(() => ({
    bytes: `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${fields.join("")}\r\n`,
  }));
  const caller = await ground.caller();
  const seen = await caller.get(1);
  assert.equal(seen.heads[0]?.filter(([name]) => name.startsWith("x-")).length, 30);
  for (const { payload } of caller.frames) assert.ok(payload.length <= DEFAULTS.maxFrameSize);
});

test("SETTINGS_HEADER_TABLE_SIZE of 0 keeps the encoder from its table", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller({ settings: [[SETTINGS.headerTableSize, 0]] });
  // The decoder of the test follows size updates, so that a reference into the table would fail.
  for (const id of [1, 3, 5]) assert.equal(statusOf(await caller.get(id)), 200);
  const first = caller.frames.find(({ type }) => type === TYPE.headers);
  assert.equal((first?.payload[0] ?? 0) & 0xe0, 0x20, "the first block begins with a size update");
});

test("a caller that sends more than a stream's window is stopped with FLOW_CONTROL_ERROR", async () => {
  await using ground = await Http2Ground.start({ http2: { streamWindow: "64KiB" } });
  // A service that takes nothing, so that the window is not given back.
  const caller = await ground.caller();
  await caller.roundTrip();
  const window = caller.settings.get(SETTINGS.initialWindowSize) ?? DEFAULTS.window;
  ground.service.stall(true);
  caller.send(headersFrame(1, POST, FLAGS.endHeaders));
  await flood(caller, 1, window * 64);
  const code = caller.stream(1).reset ?? caller.goaway?.code;
  assert.equal(codeName(code), "flowControlError");
});

test("the window of a stream is given back as the service takes its body", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  await caller.roundTrip();
  const window = caller.settings.get(SETTINGS.initialWindowSize) ?? DEFAULTS.window;
  const size = window * 4;
  caller.send(headersFrame(1, POST, FLAGS.endHeaders));
  await upload(caller, 1, size);
  const seen = await caller.answer(1);
  assert.equal(statusOf(seen), 200);
  assert.equal(ground.arrived()[0]?.body.length, size);
});

test("a stream that is not read by its service stalls no other", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  await caller.roundTrip();
  ground.service.stall(true);
  caller.send(headersFrame(1, POST, FLAGS.endHeaders));
  const stalled = upload(caller, 1, 64 * 1024 * 1024).then(
    () => "whole",
    () => "stalled",
  );
  while (ground.service.connections.length === 0) await new Promise(setImmediate);
  ground.service.stall(false);
  await assertAlive(caller);
  caller.destroy();
  assert.equal(await stalled, "stalled");
});

test("a stream whose caller gives it no window stalls no other", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller({ keepsWindows: true });
  const large = "a".repeat(300_000);
  ground.service.script(({ target }) => {
    const body = target === "/large" ? large : JSON.stringify({ target });
    return { bytes: `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}` };
  });
  caller.headers(1, requestFields("GET", "/large"));
  await caller.until("a window", () => caller.stream(1).body.length === DEFAULTS.window);
  caller.send(windowUpdateFrame(0, 1_000_000));
  await assertAlive(caller);
  assert.equal(caller.stream(1).body.length, DEFAULTS.window);
});

test("streams share a connection's window fairly", async () => {
  await using ground = await Http2Ground.start();
  answerWith(ground, 1_000_000);
  const caller = await ground.caller({
    settings: [[SETTINGS.initialWindowSize, 1_000_000]],
    keepsWindows: true,
  });
  const ids = [1, 3, 5, 7];
  for (const id of ids) caller.headers(id, requestFields("GET", "/"));
  const total = (): number => ids.reduce((sum, id) => sum + caller.stream(id).body.length, 0);
  let granted: number = DEFAULTS.window;
  await caller.until("the first window", () => total() === granted);
  for (let round = 0; round < 20; round += 1) {
    caller.send(windowUpdateFrame(0, 32_768));
    granted += 32_768;
    await caller.until("a window", () => total() === granted);
  }
  for (const id of ids) {
    const share = caller.stream(id).body.length / granted;
    assert.ok(share > 0.1, `stream ${id} got ${share} of it`);
  }
});

/** Sends regardless of any window, until the other side has had enough or took it all. */
async function flood(caller: Http2Peer, streamId: number, bytes: number): Promise<void> {
  const piece = Buffer.alloc(DEFAULTS.maxFrameSize);
  for (let sent = 0; sent < bytes && !over(caller, streamId); sent += piece.length) {
    caller.send(dataFrame(streamId, piece));
    if (sent % (piece.length * 16) === 0) await new Promise(setImmediate);
  }
  await caller.until("an error", () => over(caller, streamId));
}

function over(caller: Http2Peer, streamId: number): boolean {
  return caller.stream(streamId).reset !== undefined || caller.goaway !== undefined;
}

/** Sends a body as both windows allow. */
async function upload(caller: Http2Peer, streamId: number, bytes: number): Promise<void> {
  const initial = caller.settings.get(SETTINGS.initialWindowSize) ?? DEFAULTS.window;
  const granted = (id: number): number =>
    caller.frames
      .filter(({ type, streamId: on }) => type === TYPE.windowUpdate && on === id)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
  for (let sent = 0; sent < bytes;) {
    const room = (): number =>
      Math.min(initial + granted(streamId), DEFAULTS.window + granted(0)) - sent;
    await caller.until("a window", () => room() > 0);
    const size = Math.min(room(), DEFAULTS.maxFrameSize, bytes - sent);
    sent += size;
    caller.data(streamId, "b".repeat(size), sent === bytes);
  }
}
