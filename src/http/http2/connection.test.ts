import assert from "node:assert/strict";
import test from "node:test";
import { FLAG, FRAME, H2_ERROR, SETTING } from "../../wire/http2/codes.ts";
import { Loopback, type LoopbackOptions, type RawPeer } from "../loopback.fixture.ts";
import { Http2Peer, requestHead, type SeenOf } from "./peer.fixture.ts";

async function peerOf(
  loopback: Loopback,
  pairs: readonly (readonly [number, number])[] = [],
): Promise<Http2Peer> {
  const peer = new Http2Peer((await loopback.caller()).socket).start(pairs);
  await peer.until("settingsAck");
  return peer;
}

async function start(options: LoopbackOptions = {}): Promise<Loopback> {
  return new Loopback(options).start();
}

/** A connection on which stream 1 is a request without an end, and its service. */
async function withRequest(loopback: Loopback): Promise<{ peer: Http2Peer; service: RawPeer }> {
  const peer = await peerOf(loopback);
  peer.request(1, [], false);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  return { peer, service };
}

async function failsWith(peer: Http2Peer, code: number): Promise<void> {
  const { code: said } = await peer.until("goaway");
  assert.equal(said, code);
  await peer.untilClosed();
}

function resetOf(peer: Http2Peer, id: number, code: number): Promise<SeenOf<"rst">> {
  return peer.until("rst", (seen) => seen.id === id && seen.code === code);
}

const increment = (bytes: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return payload;
};
const CODE = increment(H2_ERROR.cancel);

// RFC 9113 section 3.4: the preface

test("a connection whose first frame is not SETTINGS fails with PROTOCOL_ERROR", async () => {
  await using loopback = await start();
  const peer = new Http2Peer((await loopback.caller()).socket);
  peer.polite = false;
  peer.socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  peer.raw(FRAME.ping, 0, 0, "12345678");
  await failsWith(peer, H2_ERROR.protocolError);
});

// Section 5.1: states

test("frames on streams that were never opened are PROTOCOL_ERROR", async () => {
  await using loopback = await start();
  const frames: readonly (readonly [number, Buffer | string])[] = [
    [FRAME.data, "x"],
    [FRAME.rstStream, CODE],
    [FRAME.windowUpdate, increment(1)],
  ];
  for (const [type, payload] of frames) {
    for (const id of [7, 2]) {
      const peer = await peerOf(loopback);
      peer.raw(type, 0, id, payload);
      await failsWith(peer, H2_ERROR.protocolError);
    }
  }
});

test("PRIORITY is taken on streams in every state", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(200, [], "yes") });
  const peer = await peerOf(loopback);
  peer.raw(FRAME.priority, 0, 9, "\0\0\0\x01\x10");
  peer.request(9);
  await peer.answer(9);
  peer.raw(FRAME.priority, 0, 9, "\0\0\0\x01\x10");
  peer.raw(FRAME.priority, 0, 2, "\0\0\0\x01\x10");
  peer.request(11);
  assert.equal((await peer.answer(11)).status, "200");
});

test("numbers of streams are odd and only grow (section 5.1.1)", async () => {
  await using loopback = await start({ handle: () => {} });
  const even = await peerOf(loopback);
  even.request(2);
  await failsWith(even, H2_ERROR.protocolError);
  const lower = await peerOf(loopback);
  lower.request(5);
  lower.request(3);
  await failsWith(lower, H2_ERROR.protocolError);
});

test("frames after END_STREAM reset the stream with STREAM_CLOSED", async () => {
  await using loopback = await start({ handle: () => {} });
  for (const send of [
    (peer: Http2Peer) => peer.send(1, "late"),
    (peer: Http2Peer) => peer.section(1, ["x-a", "b"], true),
  ]) {
    const peer = await peerOf(loopback);
    peer.request(1);
    send(peer);
    await resetOf(peer, 1, H2_ERROR.streamClosed);
    peer.request(3);
    const seen = loopback.exchanges.length;
    while (loopback.exchanges.length === seen) await loopback.changed();
  }
});

test("WINDOW_UPDATE and RST_STREAM may come after the end of the request and of the answer", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(200, [], "yes") });
  const peer = await peerOf(loopback);
  peer.request(1);
  await peer.answer(1);
  peer.raw(FRAME.windowUpdate, 0, 1, increment(1));
  peer.rst(1, H2_ERROR.cancel);
  peer.request(3);
  assert.equal((await peer.answer(3)).status, "200");
});

test("DATA and HEADERS on a stream that has ended both ways are STREAM_CLOSED of the connection", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(200, [], "yes") });
  for (const send of [
    (peer: Http2Peer) => peer.send(1, "late"),
    (peer: Http2Peer) => peer.request(1),
  ]) {
    const peer = await peerOf(loopback);
    peer.request(1);
    await peer.answer(1);
    send(peer);
    await failsWith(peer, H2_ERROR.streamClosed);
  }
});

test("frames that the peer sends after its own RST_STREAM are STREAM_CLOSED of the stream", async () => {
  await using loopback = await start({ handle: () => {} });
  const peer = await peerOf(loopback);
  peer.request(1, [], false);
  peer.rst(1, H2_ERROR.cancel);
  peer.send(1, "late");
  await resetOf(peer, 1, H2_ERROR.streamClosed);
});

test("what comes for a stream that we reset is ignored, and keeps header compression in step", async () => {
  await using loopback = await start();
  const { peer, service } = await withRequest(loopback);
  service.destroy();
  await peer.until("headers", ({ fields }) => fields[1] === "502");
  loopback.pass(1000);
  await resetOf(peer, 1, H2_ERROR.noError);
  peer.send(1, "late");
  peer.section(1, ["x-new-in-the-table", "value"], true);
  peer.request(3, ["x-new-in-the-table", "value"]);
  const next = await loopback.service.accepted();
  assert.match(await next.until("\r\n\r\n"), /x-new-in-the-table: value\r\n/);
});

test("a stream that is gone for long is still not opened again", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(200, [], "") });
  const peer = await peerOf(loopback);
  for (let id = 1; id < 700; id += 2) {
    peer.request(id);
    await peer.answer(id);
  }
  peer.request(1);
  await failsWith(peer, H2_ERROR.protocolError);
});

// Section 5.4 and others: what ends the connection

test("a broken header block ends the connection with COMPRESSION_ERROR", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.raw(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, Buffer.from([0xff, 0xff, 0xff]));
  await failsWith(peer, H2_ERROR.compressionError);
});

test("an error of the connection ends its requests, and nobody else's", async () => {
  await using loopback = await start();
  const { peer } = await withRequest(loopback);
  const other = await peerOf(loopback);
  other.request(1);
  const service = await loopback.service.accepted();
  peer.raw(FRAME.ping, 0, 0, "short");
  await failsWith(peer, H2_ERROR.frameSizeError);
  assert.equal((await loopback.outcome(0)).end, "caller-gone");
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  assert.equal((await other.answer(1)).status, "200");
});

test("an error of a frame on a stream resets that stream", async () => {
  await using loopback = await start();
  const { peer } = await withRequest(loopback);
  peer.raw(FRAME.windowUpdate, 0, 1, increment(0));
  await resetOf(peer, 1, H2_ERROR.protocolError);
  assert.equal((await loopback.outcome(0)).end, "caller-gone");
});

test("a connection fails with SETTINGS_TIMEOUT when our SETTINGS are not acknowledged", async () => {
  await using loopback = await start();
  const peer = new Http2Peer((await loopback.caller()).socket);
  peer.polite = false;
  peer.start();
  await peer.until("settingsAck");
  loopback.pass(10_100);
  await failsWith(peer, H2_ERROR.settingsTimeout);
});

test("an acknowledgement of SETTINGS that were never sent is PROTOCOL_ERROR", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.writer.settingsAck();
  peer.writer.settingsAck();
  peer.flush();
  await failsWith(peer, H2_ERROR.protocolError);
});

test("a closing connection waits for its peer, but not for ever", async () => {
  await using loopback = await start();
  const caller = await loopback.caller();
  const peer = new Http2Peer(caller.socket);
  caller.socket.removeAllListeners("end");
  peer.start();
  await peer.until("settingsAck");
  peer.raw(FRAME.ping, 0, 0, "short");
  await peer.until("goaway");
  assert.equal(loopback.listener.connections, 1);
  loopback.pass(5100);
  while (loopback.listener.connections > 0) await new Promise((resolve) => setImmediate(resolve));
});

// Section 6.9: flow control, as the receiver

test("more DATA than the stream's window resets it with FLOW_CONTROL_ERROR", async () => {
  await using loopback = await start({
    handle: () => {},
    listener: { http2: { streamWindow: "64KiB" } },
  });
  const peer = await peerOf(loopback);
  peer.request(1, [], false);
  for (let sent = 0; sent < 4; sent += 1) peer.send(1, Buffer.alloc(16_384));
  peer.send(1, "x");
  await resetOf(peer, 1, H2_ERROR.flowControlError);
});

test("the windows are given back as the body is taken", async () => {
  await using loopback = await start({ listener: { http2: { streamWindow: "64KiB" } } });
  const { peer, service } = await withRequest(loopback);
  peer.send(1, Buffer.alloc(16_384));
  peer.send(1, Buffer.alloc(16_384));
  const { increment: given } = await peer.until("windowUpdate", ({ id }) => id === 1);
  assert.equal(given, 32_768);
  service.destroy();
});

test("padding is given back too", async () => {
  await using loopback = await start({ listener: { http2: { streamWindow: "64KiB" } } });
  const { peer } = await withRequest(loopback);
  for (let sent = 0; sent < 128; sent += 1) {
    peer.raw(FRAME.data, FLAG.padded, 1, Buffer.concat([Buffer.from([254]), Buffer.alloc(255)]));
  }
  const { increment: given } = await peer.until("windowUpdate", ({ id }) => id === 1);
  assert.equal(given, 32_768);
});

test("a service that does not read stops its caller's stream, and no other", async () => {
  await using loopback = await start({ listener: { http2: { streamWindow: "64KiB" } } });
  const { peer, service } = await withRequest(loopback);
  service.socket.pause();
  let sent = 0;
  let allowed = 65_536;
  const counted = new Set<object>();
  // Until nothing more is allowed although the connection answers.
  for (;;) {
    while (allowed >= 16_384) {
      peer.send(1, Buffer.alloc(16_384, "u"));
      sent += 16_384;
      allowed -= 16_384;
    }
    const mark = `ping${String(sent).padStart(4, "0").slice(-4)}`;
    peer.writer.ping(Buffer.from(mark), false);
    peer.flush();
    await peer.until("ping", ({ opaque, ack }) => ack && opaque === mark);
    let more = 0;
    for (const seen of peer.seen) {
      if (seen.type !== "windowUpdate" || seen.id !== 1 || counted.has(seen)) continue;
      counted.add(seen);
      more += seen.increment;
    }
    if (more === 0) break;
    allowed += more;
  }
  assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were taken`);
  peer.request(3);
  const other = await loopback.service.accepted();
  await other.until("\r\n\r\n");
  other.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  assert.equal((await peer.answer(3)).body, "ok");
  service.socket.resume();
  await peer.until("windowUpdate", (seen) => seen.id === 1 && !counted.has(seen));
});

test("a window that is too small for a frame's bytes never goes unnoticed on a stream that is ignored", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(401, [], "no") });
  const peer = await peerOf(loopback);
  for (let id = 1; id < 200; id += 2) {
    peer.request(id, [], false);
    await peer.answer(id);
    peer.send(id, Buffer.alloc(16_384));
    peer.send(id, Buffer.alloc(16_384));
  }
  // 3 MiB for nobody: the connection's window has been given back.
  await peer.until("windowUpdate", (seen) => seen.id === 0 && seen.increment >= 2 * 1024 * 1024);
});

// Section 6.9: flow control, as the sender

/** Answers with so many bytes at once. */
function answering(bytes: number): LoopbackOptions {
  return { handle: (exchange) => exchange.reply(200, [], "d".repeat(bytes)) };
}

function received(peer: Http2Peer, id: number): number {
  let bytes = 0;
  for (const seen of peer.seen)
    if (seen.type === "data" && seen.id === id) bytes += seen.bytes.length;
  return bytes;
}

async function settled(peer: Http2Peer, mark: string): Promise<void> {
  peer.writer.ping(Buffer.from(mark.padEnd(8)), false);
  peer.flush();
  await peer.until("ping", ({ opaque, ack }) => ack && opaque === mark.padEnd(8));
}

test("no more DATA is sent than the stream's window, and the rest when it grows", async () => {
  await using loopback = await start(answering(100));
  const peer = await peerOf(loopback, [[SETTING.initialWindowSize, 10]]);
  peer.reading = false;
  peer.request(1);
  await settled(peer, "one");
  assert.equal(received(peer, 1), 10);
  peer.writer.windowUpdate(1, 5);
  await settled(peer, "two");
  assert.equal(received(peer, 1), 15);
  peer.writer.windowUpdate(1, 1000);
  peer.flush();
  assert.equal((await peer.answer(1)).body.length, 100);
});

test("a change of SETTINGS_INITIAL_WINDOW_SIZE moves open windows, also below zero", async () => {
  await using loopback = await start(answering(100));
  const peer = await peerOf(loopback, [[SETTING.initialWindowSize, 20]]);
  peer.reading = false;
  peer.request(1);
  await settled(peer, "one");
  assert.equal(received(peer, 1), 20);
  // 20 are used up: the window is 5 - 20.
  peer.writer.settings([[SETTING.initialWindowSize, 5]]);
  peer.writer.windowUpdate(1, 15);
  await settled(peer, "two");
  assert.equal(received(peer, 1), 20);
  peer.writer.windowUpdate(1, 1);
  await settled(peer, "three");
  assert.equal(received(peer, 1), 21);
  peer.writer.settings([[SETTING.initialWindowSize, 1000]]);
  peer.flush();
  assert.equal((await peer.answer(1)).body.length, 100);
});

test("no more DATA is sent than the connection's window, shared fairly", async () => {
  await using loopback = await start(answering(60_000));
  const peer = await peerOf(loopback, [[SETTING.initialWindowSize, 1_000_000]]);
  peer.reading = false;
  peer.request(1);
  peer.request(3);
  await peer.until("data", () => received(peer, 1) + received(peer, 3) >= 65_535);
  await settled(peer, "one");
  assert.equal(received(peer, 1) + received(peer, 3), 65_535);
  assert.ok(received(peer, 3) > 16_000, "the second stream had its turns");
  peer.writer.windowUpdate(0, 100_000);
  peer.flush();
  assert.equal((await peer.answer(1)).body.length, 60_000);
  assert.equal((await peer.answer(3)).body.length, 60_000);
});

test("heads and answers without a body need no window", async () => {
  await using loopback = await start(answering(0));
  const peer = await peerOf(loopback, [[SETTING.initialWindowSize, 0]]);
  peer.request(1);
  assert.equal((await peer.answer(1)).status, "200");
});

test("a stream whose window is used up does not hold up another", async () => {
  await using loopback = await start(answering(50));
  const peer = await peerOf(loopback, [[SETTING.initialWindowSize, 0]]);
  peer.reading = false;
  peer.request(1);
  peer.request(3);
  await settled(peer, "one");
  peer.writer.windowUpdate(3, 50);
  peer.flush();
  assert.equal((await peer.answer(3)).body.length, 50);
  assert.equal(received(peer, 1), 0);
});

test("a window above 2^31-1 is FLOW_CONTROL_ERROR: of the stream, of the connection, by SETTINGS", async () => {
  await using loopback = await start({ handle: () => {} });
  const stream = await peerOf(loopback);
  stream.request(1);
  stream.raw(FRAME.windowUpdate, 0, 1, increment(2 ** 31 - 1));
  await resetOf(stream, 1, H2_ERROR.flowControlError);
  stream.raw(FRAME.windowUpdate, 0, 0, increment(2 ** 31 - 1));
  await failsWith(stream, H2_ERROR.flowControlError);
  const settings = await peerOf(loopback);
  settings.request(1);
  settings.raw(FRAME.windowUpdate, 0, 1, increment(2 ** 30));
  settings.writer.settings([[SETTING.initialWindowSize, 2 ** 31 - 1]]);
  settings.flush();
  await failsWith(settings, H2_ERROR.flowControlError);
});

test("a caller that does not open its window for an answer is cut off, on that stream alone", async () => {
  await using loopback = await start({ ...answering(100), limits: { readTimeout: "5s" } });
  const peer = await peerOf(loopback, [[SETTING.initialWindowSize, 10]]);
  peer.reading = false;
  peer.request(1);
  await settled(peer, "one");
  loopback.pass(4900);
  peer.request(3);
  await settled(peer, "two");
  loopback.pass(200);
  await resetOf(peer, 1, H2_ERROR.cancel);
  assert.equal(loopback.hits("readTimeout"), 1);
  peer.writer.windowUpdate(3, 1000);
  peer.flush();
  assert.equal((await peer.answer(3)).body.length, 100);
});

test("a caller that does not read its socket is cut off", async () => {
  await using loopback = await start({ ...answering(3_000_000), limits: { readTimeout: "5s" } });
  const peer = await peerOf(loopback, [[SETTING.initialWindowSize, 2 ** 30]]);
  peer.raw(FRAME.windowUpdate, 0, 0, increment(2 ** 30));
  for (let id = 1; id < 20; id += 2) peer.request(id);
  peer.socket.pause();
  while (loopback.exchanges.length < 10) await loopback.changed();
  await new Promise((resolve) => setImmediate(resolve));
  loopback.pass(5100);
  while (loopback.listener.connections > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(loopback.hits("readTimeout") >= 1);
});

test("a service that answers faster than its caller reads has to wait", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.reading = false;
  peer.request(1);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n");
  const piece = Buffer.alloc(64 * 1024);
  let written = 0;
  while (service.socket.writableLength < 16 * piece.length) {
    service.socket.write(piece);
    written += piece.length;
    await settled(peer, String(written).slice(-8));
  }
  assert.ok(written < 64 * 1024 * 1024, `${written} bytes were taken for nobody`);
  assert.equal(received(peer, 1), 65_535);
  const before = received(peer, 1);
  peer.reading = true;
  peer.writer.windowUpdate(0, 65_535);
  peer.writer.windowUpdate(1, 65_535);
  peer.flush();
  await peer.until("data", () => received(peer, 1) >= before + 1_000_000);
});

// Section 8.1: requests

test("a request with trailers after a body that waits arrives whole and in order", async () => {
  await using loopback = await start({ listener: { http2: { streamWindow: "64KiB" } } });
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":method": "POST" }), false);
  peer.send(1, "a".repeat(10_000));
  peer.send(1, "b".repeat(10_000));
  peer.section(1, ["x-sum", "1"], true);
  const service = await loopback.service.accepted();
  const text = await service.until("x-sum: 1\r\n\r\n");
  assert.ok(/a{100}/.test(text) && text.indexOf("b") > text.indexOf("aaaa"));
});

test("the DATA frames of one read are delivered as one piece, before what follows them", async () => {
  const heard: string[] = [];
  await using loopback = await start({
    handle: (exchange) => {
      exchange.stream.attach({
        bodyChunk: (bytes) => heard.push(bytes.toString()),
        bodyIdle: () => heard.push("idle"),
        bodyEnd: (trailers) => {
          heard.push(`end ${String(trailers)}`);
          exchange.reply(200, [], "yes");
        },
        bodyFault: (reason) => heard.push(reason),
        drained: () => {},
        callerGone: () => heard.push("gone"),
      });
      exchange.stream.read(1000);
    },
  });
  const peer = await peerOf(loopback);
  peer.writer.headers(1, peer.encoder.encode(requestHead({ ":method": "POST" })), false);
  for (const text of ["a", "b", "c"]) peer.writer.data(1, Buffer.from(text), false);
  peer.writer.headers(1, peer.encoder.encode(["x-sum", "3"]), true);
  peer.flush();
  await peer.answer(1);
  assert.deepEqual(heard, ["idle", "abc", "end x-sum,3"]);
});

test("a caller with a window of a kilobyte, given back in halves, gets all of a large answer", async () => {
  const size = 1_500_000;
  await using loopback = await start(answering(size));
  const peer = await peerOf(loopback, [[SETTING.initialWindowSize, 1023]]);
  peer.reading = false;
  peer.request(1);
  let taken = 0;
  let owed = 0;
  for (let at = 0; taken < size;) {
    const seen = peer.seen[at];
    if (seen === undefined) {
      await peer.until("data", () => peer.seen.length > at);
      continue;
    }
    at += 1;
    if (seen.type !== "data") continue;
    taken += seen.bytes.length;
    owed += seen.bytes.length;
    if (owed < 512) continue;
    peer.writer.windowUpdate(0, owed);
    peer.writer.windowUpdate(1, owed);
    peer.flush();
    owed = 0;
  }
  assert.equal(taken, size);
});

test("the window is given back also when the bytes' memory has been by then", async () => {
  await using loopback = await start({
    listener: { http2: { streamWindow: "64KiB" } },
    handle: ({ stream }) => {
      stream.attach({
        bodyChunk: ({ buffer }) => {
          if (buffer instanceof ArrayBuffer) buffer.transfer(0);
        },
        bodyIdle: () => {},
        bodyEnd: () => {},
        bodyFault: () => {},
        drained: () => {},
        callerGone: () => {},
      });
      stream.read(1e9);
    },
  });
  const peer = await peerOf(loopback);
  peer.request(1, [], false);
  for (let sent = 0; sent < 2; sent += 1) peer.send(1, Buffer.alloc(16_384));
  assert.equal((await peer.until("windowUpdate", ({ id }) => id === 1)).increment, 32_768);
  peer.socket.destroy();
});
