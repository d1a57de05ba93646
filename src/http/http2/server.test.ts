import assert from "node:assert/strict";
import { connect } from "node:net";
import test from "node:test";
import { H2_ERROR, PREFACE, SETTING } from "../../wire/http2/codes.ts";
import { Loopback, type LoopbackOptions } from "../loopback.fixture.ts";
import { Http2Peer, requestHead } from "./peer.fixture.ts";

async function peerOf(loopback: Loopback): Promise<Http2Peer> {
  return new Http2Peer((await loopback.caller()).socket).start();
}

async function start(options: LoopbackOptions = {}): Promise<Loopback> {
  return new Loopback(options).start();
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

test("Http2ServerConnection passes a GET on and its answer back", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.request(1, ["x-a", "1"]);
  const service = await loopback.service.accepted();
  assert.match(await service.until("\r\n\r\n"), /^GET \/ HTTP\/1.1\r\nhost: a.test\r\nx-a: 1\r\n/);
  service.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-b: 2\r\n\r\nhello");
  const answer = await peer.answer(1);
  assert.equal(answer.status, "200");
  assert.equal(answer.body, "hello");
  assert.deepEqual(answer.fields.slice(0, 3), ["x-b", "2", "date"]);
  assert.equal(answer.fields.at(-2), "content-length");
  assert.equal((await loopback.outcome(0)).end, "complete");
});

test("Http2ServerConnection passes on trailers that come right behind the head", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":method": "POST" }), false);
  peer.section(1, ["x-sum", "7"], true);
  const service = await loopback.service.accepted();
  assert.match(await service.until("x-sum: 7\r\n\r\n"), /chunked\r\n\r\n0\r\nx-sum: 7\r\n\r\n$/);
  service.send(OK);
  assert.equal((await peer.answer(1)).body, "ok");
});

test("Http2ServerConnection says what it allows, and acknowledges what it is told", async () => {
  await using loopback = await start({
    listener: { http2: { maxStreams: 7, streamWindow: "1MiB" } },
  });
  const peer = await peerOf(loopback);
  const { pairs } = await peer.until("settings");
  const told = new Map(pairs);
  assert.equal(told.get(SETTING.maxConcurrentStreams), 7);
  assert.equal(told.get(SETTING.initialWindowSize), 1024 * 1024);
  assert.equal(told.get(SETTING.maxHeaderListSize), 32 * 1024);
  assert.equal(told.get(SETTING.enableConnectProtocol), 1);
  await peer.until("settingsAck");
  peer.writer.ping(Buffer.from("12345678"), false);
  peer.flush();
  await peer.until("ping", ({ opaque, ack }) => ack && opaque === "12345678");
});

test("a listener speaks HTTP/2 when the preface comes, wherever it is cut", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(200, [], "yes") });
  for (let cut = 1; cut < PREFACE.length; cut += 1) {
    const caller = await loopback.caller();
    const peer = new Http2Peer(caller.socket);
    const waited = new Promise((resolve) => caller.socket.write(PREFACE.subarray(0, cut), resolve));
    await waited;
    // So that it arrives by itself.
    const other = await loopback.caller();
    other.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await other.until("yes");
    other.destroy();
    caller.socket.write(PREFACE.subarray(cut));
    peer.writer.settings([]);
    peer.request(1);
    assert.equal((await peer.answer(1)).body, "yes");
    caller.destroy();
  }
});

test("a listener refuses what begins like the preface and is something else", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(200, [], "yes") });
  const texts = [
    "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    "PRI * HTTP/2.1\r\n\r\n",
    "PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n",
  ];
  for (const text of texts) {
    const caller = await loopback.caller();
    caller.send(text);
    assert.match(await caller.untilEnd(), /^HTTP\/1.1 (400|505) /);
  }
});

test("a listener takes the preface for nothing on a connection that spoke HTTP/1.1", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(200, [], "yes") });
  const caller = await loopback.caller();
  caller.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await caller.until("yes");
  caller.send(PREFACE.toString("latin1"));
  assert.match(await caller.untilEnd(), /^HTTP\/1.1 (400|505) /);
});

test("a listener without HTTP/2 answers the preface as HTTP/1.1 does", async () => {
  await using loopback = await start({ listener: { http2: { enabled: false } } });
  const caller = await loopback.caller();
  caller.send(PREFACE.toString("latin1"));
  assert.match(await caller.untilEnd(), /^HTTP\/1.1 (400|505) /);
});

test("Http2ServerConnection handles requests side by side and answers each when it is there", async () => {
  await using loopback = await start({ handle: () => {} });
  const peer = await peerOf(loopback);
  peer.request(1);
  peer.request(3);
  peer.request(5);
  while (loopback.exchanges.length < 3) await loopback.changed();
  loopback.exchanges[2]?.reply(200, [], "five");
  assert.equal((await peer.answer(5)).body, "five");
  loopback.exchanges[0]?.reply(200, [], "one");
  assert.equal((await peer.answer(1)).body, "one");
  loopback.exchanges[1]?.reply(200, [], "three");
  assert.equal((await peer.answer(3)).body, "three");
});

test("Http2ServerConnection keeps one memo for all requests of a connection", async () => {
  await using loopback = await start({
    handle: (exchange) => {
      const { connection } = exchange;
      connection.memo = ((connection.memo as number | undefined) ?? 0) + 1;
      exchange.reply(200, [], String(connection.memo));
    },
  });
  const peer = await peerOf(loopback);
  peer.request(1);
  assert.equal((await peer.answer(1)).body, "1");
  peer.request(3);
  assert.equal((await peer.answer(3)).body, "2");
  const other = await peerOf(loopback);
  other.request(1);
  assert.equal((await other.answer(1)).body, "1");
});

test("a body with a length goes on as one, and its trailers with one without", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":method": "POST" }, ["content-length", "6"]), false);
  peer.send(1, "abc");
  peer.send(1, "def", true);
  const service = await loopback.service.accepted();
  assert.match(await service.until("abcdef"), /content-length: 6\r\n\r\nabcdef$/);
  service.send(OK);
  await peer.answer(1);
  peer.section(3, requestHead({ ":method": "POST" }), false);
  peer.send(3, "xyz");
  peer.section(3, ["x-sum", "7"], true);
  assert.match(
    await service.until("0\r\n"),
    /transfer-encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n$/,
  );
  await service.until("x-sum: 7\r\n\r\n");
  service.send(
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nuvw\r\n0\r\nx-end: 8\r\n\r\n",
  );
  const answer = await peer.answer(3);
  assert.equal(answer.body, "uvw");
  assert.deepEqual(answer.trailers, ["x-end", "8"]);
});

test("HEAD, 204 and 304 have no body whatever their head says", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":method": "HEAD" }), true);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n");
  const answer = await peer.answer(1);
  assert.equal(answer.fields.at(-1), "99");
  assert.equal(answer.body, "");
  peer.request(3);
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 204 No Content\r\n\r\n");
  assert.ok(!(await peer.answer(3)).fields.includes("content-length"));
  peer.request(5);
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n");
  assert.equal((await peer.answer(5)).fields.at(-1), "7");
});

test("reply() leaves the body out for HEAD", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(403, [], "no") });
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":method": "HEAD" }), true);
  const answer = await peer.answer(1);
  assert.deepEqual([answer.status, answer.body, answer.fields.at(-1)], ["403", "", "2"]);
});

test("Expect: 100-continue is answered once the body is wanted", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  const fields = ["expect", "100-continue", "content-length", "2"];
  peer.section(1, requestHead({ ":method": "POST" }, fields), false);
  await peer.until("headers", ({ fields: [, status], end }) => status === "100" && !end);
  peer.send(1, "hi", true);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\nhi");
  service.send(OK);
  assert.equal((await peer.answer(1)).status, "200");
});

test("Expect: 100-continue is not answered when the request is refused", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(401, [], "no") });
  const peer = await peerOf(loopback);
  const fields = ["expect", "100-continue", "content-length", "2"];
  peer.section(1, requestHead({ ":method": "POST" }, fields), false);
  assert.equal((await peer.answer(1)).status, "401");
  loopback.pass(1000);
  await peer.until("rst", ({ id, code }) => id === 1 && code === H2_ERROR.noError);
  assert.ok(!peer.seen.some((seen) => seen.type === "headers" && seen.fields[1] === "100"));
});

test("an answer before the end of its request is followed by RST_STREAM with NO_ERROR", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.request(1, [], false);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
  assert.equal((await peer.answer(1)).status, "413");
  // Not at once: there are callers that would give up with the answer unread.
  loopback.pass(999);
  peer.writer.ping(Buffer.from("answered"), false);
  peer.flush();
  await peer.until("ping", ({ ack }) => ack);
  assert.ok(!peer.seen.some(({ type }) => type === "rst"));
  loopback.pass(1);
  await peer.until("rst", ({ id, code }) => id === 1 && code === H2_ERROR.noError);
  // What was under way by then is dropped, and the connection goes on.
  peer.send(1, "late");
  peer.section(1, ["x-late", "1"], true);
  peer.request(3);
  await (await loopback.service.accepted()).until("\r\n\r\n");
});

test("a body that ends in the read that brought its head is not reset", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(401, [], "no") });
  const peer = await peerOf(loopback);
  peer.writer.headers(1, peer.encoder.encode(requestHead({ ":method": "POST" })), false);
  peer.writer.data(1, Buffer.from("body"), true);
  peer.flush();
  assert.equal((await peer.answer(1)).status, "401");
  peer.request(3);
  await peer.answer(3);
  assert.ok(!peer.seen.some(({ type }) => type === "rst"));
});

test("a malformed request is answered 400 on its stream, and the connection goes on", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(200, [], "yes") });
  const peer = await peerOf(loopback);
  const bad = [
    requestHead({}, ["X-Upper", "1"]),
    requestHead({}, ["connection", "close"]),
    requestHead({}, ["x", "a\r\nb: c"]),
    [...requestHead(), ":path", "/late"],
    requestHead({ ":authority": "" }),
  ];
  for (const [index, fields] of bad.entries()) {
    peer.section(index * 2 + 1, fields, true);
    assert.equal((await peer.answer(index * 2 + 1)).status, "400");
  }
  assert.equal(loopback.malformed.length, bad.length);
  peer.request(99);
  assert.equal((await peer.answer(99)).body, "yes");
});

test("a head above the limits is answered 431, and the connection goes on", async () => {
  await using loopback = await start({
    handle: (exchange) => exchange.reply(200, [], "yes"),
    limits: { headBytes: "1KiB" },
  });
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({}, ["x-long", "a".repeat(1100)]), true);
  assert.equal((await peer.answer(1)).status, "431");
  assert.equal(loopback.hits("headBytes"), 1);
  peer.section(3, requestHead({}, ["x-a", "b"]), true);
  assert.equal((await peer.answer(3)).status, "200");
});

test("a target above the limit is answered 414", async () => {
  await using loopback = await start({ limits: { targetBytes: "64B" } });
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":path": `/${"a".repeat(64)}` }), true);
  assert.equal((await peer.answer(1)).status, "414");
  assert.equal(loopback.hits("targetBytes"), 1);
});

test("a body that is longer than it says never reaches the service whole", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":method": "POST" }, ["content-length", "3"]), false);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  peer.send(1, "four", true);
  assert.equal((await peer.answer(1)).status, "400");
  assert.equal((await loopback.outcome(0)).end, "malformed-request");
  await service.untilEnd();
  assert.ok(!service.text.includes("fou"));
});

test("a body that is shorter than it says is refused, by its end and by its trailers", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":method": "POST" }, ["content-length", "9"]), false);
  peer.send(1, "four", true);
  assert.equal((await peer.answer(1)).status, "400");
  peer.section(3, requestHead({ ":method": "POST" }, ["content-length", "9"]), false);
  peer.send(3, "four");
  peer.section(3, ["x-a", "b"], true);
  assert.equal((await peer.answer(3)).status, "400");
});

test("a body that breaks its length within an answer has its stream reset with PROTOCOL_ERROR", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":method": "POST" }, ["content-length", "3"]), false);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome");
  await peer.until("data");
  peer.send(1, "four", true);
  await peer.until("rst", ({ id, code }) => id === 1 && code === H2_ERROR.protocolError);
});

test("trailers that are none are refused", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.request(1, [], false);
  peer.send(1, "a");
  peer.section(1, [":path", "/x"], true);
  assert.equal((await peer.answer(1)).status, "400");
});

test("HEADERS within a request that do not end it reset its stream", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.request(1, [], false);
  await (await loopback.service.accepted()).until("\r\n\r\n");
  peer.section(1, ["x-a", "b"], false);
  await peer.until("rst", ({ id, code }) => id === 1 && code === H2_ERROR.protocolError);
  assert.equal((await loopback.outcome(0)).end, "caller-gone");
});

test("a body above the limit is answered 413", async () => {
  await using loopback = await start({ limits: { bodyBytes: "4B" } });
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":method": "POST" }, ["content-length", "5"]), false);
  assert.equal((await peer.answer(1)).status, "413");
  peer.request(3, [], false);
  peer.send(3, "12345");
  assert.equal((await peer.answer(3)).status, "413");
  assert.equal(loopback.hits("bodyBytes"), 2);
});

test("a body that comes too slowly is answered 408, one that nobody wants yet is not", async () => {
  await using loopback = await start({
    limits: { bodyTimeout: "5s", bodyRate: "1KiB" },
    request: { totalTimeoutMs: 100_000, idleTimeoutMs: 100_000 },
  });
  const peer = await peerOf(loopback);
  peer.request(1, [], false);
  await (await loopback.service.accepted()).until("\r\n\r\n");
  loopback.pass(4900);
  peer.send(1, "a".repeat(2048));
  await loopback.service.connections[0]?.until("aaa");
  loopback.pass(1000);
  assert.equal(loopback.outcomes.length, 0);
  loopback.pass(5000);
  assert.equal((await peer.answer(1)).status, "408");
  assert.equal(loopback.hits("bodyTimeout"), 1);
});

test("a caller that resets its stream is gone, and the service is let go", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.request(1);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  peer.rst(1, H2_ERROR.cancel);
  assert.equal((await loopback.outcome(0)).end, "caller-gone");
  await service.untilEnd();
  peer.request(3);
  const next = await loopback.service.accepted();
  await next.until("\r\n\r\n");
  next.send(OK);
  assert.equal((await peer.answer(3)).body, "ok");
});

test("an answer that is cut short resets its stream with INTERNAL_ERROR and nothing else", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.request(1);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome");
  await peer.until("data");
  service.destroy();
  await peer.until("rst", ({ id, code }) => id === 1 && code === H2_ERROR.internalError);
  peer.request(3);
  const next = await loopback.service.accepted();
  await next.until("\r\n\r\n");
  next.send(OK);
  assert.equal((await peer.answer(3)).body, "ok");
});

test("an answer that fails in one piece with its head is taken back and is a 502", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.request(1);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nnot a size\r\n");
  assert.equal((await peer.answer(1)).status, "502");
});

test("a caller whose connection goes is gone with all its requests", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.request(1);
  peer.request(3);
  await loopback.service.accepted();
  await loopback.service.accepted();
  peer.socket.destroy();
  assert.equal((await loopback.outcome(0)).end, "caller-gone");
  assert.equal((await loopback.outcome(1)).end, "caller-gone");
});

test("whenOver is called once, whichever way an exchange ends", async () => {
  const over: string[] = [];
  await using loopback = await start({
    handle: (exchange) => {
      exchange.whenOver = () => over.push(exchange.head.target);
      if (exchange.head.target === "/reply") exchange.reply(200, [], "");
    },
  });
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":path": "/reply" }), true);
  await peer.answer(1);
  peer.section(3, requestHead({ ":path": "/reset" }), true);
  peer.rst(3, H2_ERROR.cancel);
  peer.section(5, requestHead({ ":path": "/gone" }), true);
  while (loopback.exchanges.length < 3) await loopback.changed();
  peer.socket.destroy();
  while (over.length < 3) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(over, ["/reply", "/reset", "/gone"]);
  assert.ok(loopback.exchanges.every(({ gone }) => gone));
  loopback.exchanges[1]?.reply(200, [], "nobody");
});

test("a handler that throws gives a 500 and leaves the connection alone", async () => {
  await using loopback = await start({
    handle: (exchange) => {
      if (exchange.head.target === "/bad") throw new Error("no");
      exchange.reply(200, [], "yes");
    },
  });
  const peer = await peerOf(loopback);
  peer.section(1, requestHead({ ":path": "/bad" }), true);
  assert.equal((await peer.answer(1)).status, "500");
  peer.request(3);
  assert.equal((await peer.answer(3)).body, "yes");
  assert.deepEqual(loopback.logged, ["the request handler threw"]);
});

test("trailers that must not go out end their stream, and nothing stays behind", async () => {
  await using loopback = await start({
    handle: ({ stream }) => {
      stream.begin(200, [], { bodyKind: "chunked", contentLength: 0 });
      assert.throws(() => stream.end(["x", "a\r\nb"]), TypeError);
      stream.abort();
    },
  });
  const peer = await peerOf(loopback);
  peer.request(1);
  await peer.until("rst", ({ id, code }) => id === 1 && code === H2_ERROR.internalError);
  assert.equal(loopback.exchanges[0]?.gone, true);
  assert.equal(loopback.deadlines.size, 1, "the connection alone");
});

test("streams beyond the limit are refused so that they may be sent again", async () => {
  await using loopback = await start({
    handle: () => {},
    listener: { http2: { maxStreams: 2 } },
  });
  const peer = await peerOf(loopback);
  peer.request(1);
  peer.request(3);
  peer.request(5);
  await peer.until("rst", ({ id, code }) => id === 5 && code === H2_ERROR.refusedStream);
  assert.equal(loopback.exchanges.length, 2);
  assert.equal(loopback.hits("http2Streams"), 1);
  loopback.exchanges[0]?.reply(200, [], "one");
  await peer.answer(1);
  peer.request(7);
  while (loopback.exchanges.length < 3) await loopback.changed();
});

test("a request that is reset while it is decided about keeps its place for a while", async () => {
  await using loopback = await start({
    handle: () => {},
    listener: { http2: { maxStreams: 1 } },
  });
  const peer = await peerOf(loopback);
  peer.request(1);
  peer.rst(1, H2_ERROR.cancel);
  peer.request(3);
  await peer.until("rst", ({ id, code }) => id === 3 && code === H2_ERROR.refusedStream);
  loopback.pass(1100);
  peer.request(5);
  while (loopback.exchanges.length < 2) await loopback.changed();
  assert.equal(loopback.exchanges[1]?.gone, false);
});

test("close() says GOAWAY, serves what was under way, and ends", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  peer.polite = false;
  peer.request(1);
  const service = await loopback.service.accepted();
  await service.until("\r\n\r\n");
  peer.writer.settingsAck();
  const closed = loopback.listener.close(60_000);
  const first = await peer.until("goaway");
  assert.deepEqual([first.last, first.code], [2 ** 31 - 1, H2_ERROR.noError]);
  // Sent before the caller could know.
  peer.request(3);
  const other = await loopback.service.accepted();
  await other.until("\r\n\r\n");
  const ping = await peer.until("ping");
  peer.writer.ping(Buffer.from(ping.opaque, "latin1"), true);
  peer.flush();
  const last = await peer.until("goaway", (seen) => seen !== first);
  assert.deepEqual([last.last, last.code], [3, H2_ERROR.noError]);
  peer.request(5);
  service.send(OK);
  other.send(OK);
  assert.equal((await peer.answer(1)).body, "ok");
  assert.equal((await peer.answer(3)).body, "ok");
  await peer.untilClosed();
  await closed;
  assert.equal(loopback.exchanges.length, 2);
});

test("close() ends a connection whose caller never answers", async () => {
  await using loopback = await start();
  const peer = await peerOf(loopback);
  await peer.until("settings");
  peer.polite = false;
  const closed = loopback.listener.close(60_000);
  await peer.until("goaway");
  loopback.pass(1100);
  await peer.untilClosed();
  await closed;
});

test("announceEnd() lets a new connection ask once and then go elsewhere", async () => {
  await using loopback = await start({ handle: (exchange) => exchange.reply(200, [], "yes") });
  loopback.listener.announceEnd();
  const peer = await peerOf(loopback);
  await peer.until("settingsAck");
  assert.ok(!peer.seen.some(({ type }) => type === "goaway"));
  peer.request(1);
  assert.equal((await peer.answer(1)).body, "yes");
  await peer.until("goaway", ({ last }) => last === 1);
  await peer.untilClosed();
});

test("an answer that closes the connection is its last", async () => {
  await using loopback = await start({
    handle: (exchange) => exchange.reply(403, [], "no", { close: true }),
  });
  const peer = await peerOf(loopback);
  peer.request(1);
  assert.equal((await peer.answer(1)).status, "403");
  await peer.until("goaway", ({ last, code }) => last === 1 && code === H2_ERROR.noError);
  await peer.untilClosed();
});

test("a connection is closed when nothing comes, when it rests, and when a head does not end", async () => {
  await using loopback = await start({
    handle: (exchange) => exchange.reply(200, [], "yes"),
    limits: { headTimeout: "5s", idleTimeout: "20s" },
  });
  const mute = new Http2Peer((await loopback.caller()).socket);
  mute.polite = false;
  mute.socket.write(PREFACE);
  await mute.until("settings");
  const idle = await peerOf(loopback);
  await idle.until("settingsAck");
  const slow = await peerOf(loopback);
  await slow.until("settingsAck");
  slow.socket.cork();
  slow.writer.ping(Buffer.from("together"), false);
  slow.flush();
  slow.raw(0x1, 0x1, 1, "");
  slow.socket.uncork();
  await slow.until("ping");
  idle.request(1);
  await idle.answer(1);
  loopback.pass(5100);
  await mute.untilClosed();
  await slow.untilClosed();
  assert.equal(loopback.hits("headTimeout"), 2);
  assert.equal(idle.closed, false);
  loopback.pass(15_100);
  await idle.until("goaway", ({ code }) => code === H2_ERROR.noError);
  await idle.untilClosed();
});

test("a connection that never asks for anything is not kept by SETTINGS or PINGs", async () => {
  await using loopback = await start({ limits: { idleTimeout: "20s" } });
  const peer = await peerOf(loopback);
  await peer.until("settingsAck");
  for (let waited = 0; waited < 3; waited += 1) {
    loopback.pass(6000);
    peer.writer.settings([]);
    peer.writer.ping(Buffer.from(`number ${waited}`), false);
    peer.flush();
    await peer.until("ping", ({ opaque }) => opaque === `number ${waited}`);
  }
  loopback.pass(2100);
  await peer.until("goaway", ({ code }) => code === H2_ERROR.noError);
  await peer.untilClosed();
});

test("connections of one address are counted whichever version they speak", async () => {
  await using loopback = await start({
    handle: (exchange) => exchange.reply(200, [], "yes"),
    limits: { connectionsPerAddress: 2 },
  });
  const peer = await peerOf(loopback);
  peer.request(1);
  await peer.answer(1);
  const http1 = await loopback.caller();
  http1.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await http1.until("yes");
  assert.equal(loopback.listener.connections, 2);
  const third = connect(loopback.listener.address.port, "127.0.0.1");
  third.on("error", () => {});
  await new Promise((resolve) => third.once("close", resolve));
  assert.equal(loopback.hits("connectionsPerAddress"), 1);
  peer.socket.destroy();
  while (loopback.listener.connections > 1) await new Promise((resolve) => setImmediate(resolve));
  const fourth = await peerOf(loopback);
  fourth.request(1);
  assert.equal((await fourth.answer(1)).body, "yes");
});
