/**
 * RFC 9113 from the client's side against the running engine: what a service can do wrong, with which
 * code its connection or stream ends, and that its caller gets a 502 or an answer cut short, never
 * two answers and never another's. The list is http2.md.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { answer, arrived, assertAnswered, ClientGround } from "../http2/client-ground.ts";
import { CLIENT_PREFACE, CODE, DEFAULTS, FLAGS, SETTINGS, TYPE } from "../http2/codes.ts";
import {
  continuationFrame,
  dataFrame,
  frame,
  goawayFrame,
  headersFrame,
  padded,
  pingFrame,
  rstStreamFrame,
  settingsFrame,
  uint32,
  windowUpdateFrame,
} from "../http2/frames.ts";
import { codeName } from "../http2/ground.ts";
import { encodeLiterals, encodeReference, type Field } from "../http2/hpack.ts";

const OK = encodeLiterals([[":status", "200"]]);
const WHOLE = FLAGS.endHeaders | FLAGS.endStream;

/** What ends the connection to the service: bytes behind the request on stream 1, and the code. */
const CONNECTION_ERRORS: readonly [name: string, codes: readonly number[], ...bytes: Buffer[]][] = [
  ["client: DATA on an idle stream ends the connection", [CODE.protocolError], dataFrame(101, "x")],
  [
    "client: HEADERS on an idle stream ends the connection",
    [CODE.protocolError],
    headersFrame(101, OK, WHOLE),
  ],
  [
    "client: HEADERS on a stream of the server's ends the connection",
    [CODE.protocolError],
    headersFrame(2, OK, WHOLE),
  ],
  [
    "client: PUSH_PROMISE ends the connection",
    [CODE.protocolError],
    frame(TYPE.pushPromise, FLAGS.endHeaders, 1, Buffer.concat([uint32(2), OK])),
  ],
  [
    "client: SETTINGS_ENABLE_PUSH of 1 ends the connection",
    [CODE.protocolError],
    settingsFrame([[SETTINGS.enablePush, 1]]),
  ],
  [
    "client: SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1 ends the connection",
    [CODE.flowControlError],
    settingsFrame([[SETTINGS.initialWindowSize, 2 ** 31]]),
  ],
  [
    "client: a window of the connection above 2^31-1 ends it",
    [CODE.flowControlError],
    windowUpdateFrame(0, 2 ** 31 - 1),
    windowUpdateFrame(0, 2 ** 31 - 1),
  ],
  [
    "client: WINDOW_UPDATE of 0 for the connection ends it",
    [CODE.protocolError],
    windowUpdateFrame(0, 0),
  ],
  [
    "client: a frame above SETTINGS_MAX_FRAME_SIZE ends the connection",
    [CODE.frameSizeError],
    headersFrame(1, OK, FLAGS.endHeaders),
    dataFrame(1, Buffer.alloc(16_385)),
  ],
  [
    "client: a field block that cannot be decoded ends the connection",
    [CODE.compressionError],
    headersFrame(1, encodeReference(200), WHOLE),
  ],
  [
    "client: another frame within a field block ends the connection",
    [CODE.protocolError],
    headersFrame(1, OK, FLAGS.endStream),
    pingFrame("12345678"),
  ],
  [
    "client: CONTINUATION behind END_HEADERS ends the connection",
    [CODE.protocolError],
    headersFrame(1, OK, FLAGS.endHeaders),
    continuationFrame(1, OK, FLAGS.endHeaders),
  ],
  ["client: DATA on stream 0 ends the connection", [CODE.protocolError], dataFrame(0, "x")],
  [
    "client: PING that is not 8 bytes ends the connection",
    [CODE.frameSizeError],
    pingFrame("1234567"),
  ],
];

for (const [name, codes, ...bytes] of CONNECTION_ERRORS) {
  test(name, async () => {
    await using ground = await ClientGround.start();
    const caller = await ground.ask("/", "POST");
    const peer = await ground.asked();
    peer.send(...bytes);
    const code = await peer.gone();
    assert.ok(code !== undefined && codes.includes(code), codeName(code));
    const { status, end } = await ground.outcome();
    assert.notEqual(end, "complete");
    if (status === 502) await caller.until(/^HTTP\/1\.1 502 /);
    else await caller.untilEnd();
    // The next request has another connection.
    const next = await ground.ask("/next");
    answer(await ground.asked(), 1, "next answer");
    await assertAnswered(next, "next answer");
  });
}

/** What is a malformed answer, and a 502. */
const MALFORMED: readonly [name: string, ...fields: Field[]][] = [
  ["client: an answer without :status is malformed", ["x", "y"]],
  ["client: an answer with two :status is malformed", [":status", "200"], [":status", "200"]],
  ["client: a :status that is no number is malformed", [":status", "2OO"]],
  ["client: a :status of two digits is malformed", [":status", "20"]],
  ["client: a :status of 101 is malformed", [":status", "101"]],
  [
    "client: a pseudo-field of requests in an answer is malformed",
    [":status", "200"],
    [":path", "/"],
  ],
  [
    "client: a pseudo-field behind a field in an answer is malformed",
    ["x", "y"],
    [":status", "200"],
  ],
  [
    "client: a field name in upper case in an answer is malformed",
    [":status", "200"],
    ["X-Upper", "y"],
  ],
  [
    "client: a connection field in an answer is malformed",
    [":status", "200"],
    ["connection", "close"],
  ],
  [
    "client: a transfer-encoding in an answer is malformed",
    [":status", "200"],
    ["transfer-encoding", "chunked"],
  ],
  [
    "client: CR LF in a field value of an answer is malformed",
    [":status", "200"],
    ["x", "a\r\nset-cookie: b"],
  ],
  ["client: a NUL in a field value of an answer is malformed", [":status", "200"], ["x", "a\0b"]],
  ["client: a colon in a field name of an answer is malformed", [":status", "200"], ["x:y", "a"]],
  [
    "client: a content-length that is no number is malformed",
    [":status", "200"],
    ["content-length", "5x"],
  ],
  [
    "client: a content-length with END_STREAM is malformed",
    [":status", "200"],
    ["content-length", "5"],
  ],
];

for (const [name, ...fields] of MALFORMED) {
  test(name, async () => {
    await using ground = await ClientGround.start();
    const caller = await ground.ask();
    const peer = await ground.asked();
    peer.headers(1, fields);
    await caller.until(/^HTTP\/1\.1 502 /);
    assert.equal((await ground.outcome()).end, "upstream-protocol");
    assert.doesNotMatch(caller.text, /set-cookie/);
    // The connection to the service is sound.
    const next = await ground.ask("/next");
    await arrived(peer, 3);
    answer(peer, 3, "next answer");
    await assertAnswered(next, "next answer");
  });
}

/** What is malformed only behind a head that was sound: the caller's answer is cut short. */
const MALFORMED_LATER: readonly [name: string, ...bytes: Buffer[]][] = [
  [
    "client: DATA above content-length is malformed",
    headersFrame(
      1,
      encodeLiterals([
        [":status", "200"],
        ["content-length", "5"],
      ]),
      FLAGS.endHeaders,
    ),
    dataFrame(1, "hello and more", FLAGS.endStream),
  ],
  [
    "client: DATA below content-length is malformed",
    headersFrame(
      1,
      encodeLiterals([
        [":status", "200"],
        ["content-length", "50"],
      ]),
      FLAGS.endHeaders,
    ),
    dataFrame(1, "hello", FLAGS.endStream),
  ],
  [
    "client: a second head behind the final one is malformed",
    headersFrame(1, OK, FLAGS.endHeaders),
    dataFrame(1, "hello"),
    headersFrame(1, OK, FLAGS.endHeaders),
    dataFrame(1, "", FLAGS.endStream),
  ],
  [
    "client: a pseudo-field in trailers of an answer is malformed",
    headersFrame(1, OK, FLAGS.endHeaders),
    dataFrame(1, "hello"),
    headersFrame(1, OK, WHOLE),
  ],
  [
    "client: CR LF in trailers of an answer is malformed",
    headersFrame(1, OK, FLAGS.endHeaders),
    dataFrame(1, "hello"),
    headersFrame(1, encodeLiterals([["x", "a\r\n\r\nHTTP/1.1 200 OK"]]), WHOLE),
  ],
];

for (const [name, ...bytes] of MALFORMED_LATER) {
  test(name, async () => {
    await using ground = await ClientGround.start();
    const caller = await ground.ask();
    const peer = await ground.asked();
    peer.send(...bytes);
    const { status, end } = await ground.outcome();
    assert.equal(end, "upstream-protocol");
    if (status === 200) await caller.untilEnd();
    else await caller.until(/^HTTP\/1\.1 502 /);
    assert.equal(caller.text.split("HTTP/1.1 200").length <= 2, true, "never two answers");
    assert.doesNotMatch(caller.text, /\r\n0\r\n\r\n$/, "cut off, not ended");
    assert.notEqual(peer.stream(1).reset ?? CODE.protocolError, CODE.noError);
    const next = await ground.ask("/next");
    await arrived(peer, 3);
    answer(peer, 3, "next answer");
    await assertAnswered(next, "next answer");
  });
}

test("client: END_STREAM on an interim answer is malformed", async () => {
  await using ground = await ClientGround.start();
  const caller = await ground.ask();
  const peer = await ground.asked();
  peer.headers(1, [[":status", "103"]]);
  await caller.until(/HTTP\/1\.1 502 /);
});

test("client: DATA before the head of an answer is an error", async () => {
  await using ground = await ClientGround.start();
  const caller = await ground.ask();
  const peer = await ground.asked();
  peer.data(1, "hello", true);
  await caller.until(/^HTTP\/1\.1 502 /);
});

test("client: a first frame of the service that is not SETTINGS ends the connection", async () => {
  await using ground = await ClientGround.start({ peer: { mute: true } });
  const caller = await ground.ask();
  const peer = await ground.service.accepted();
  peer.send(pingFrame("12345678"));
  assert.equal(codeName(await peer.gone()), "protocolError");
  await caller.until(/^HTTP\/1\.1 502 /);
});

test("client: a service that speaks HTTP/1.1 is a 502", async () => {
  await using ground = await ClientGround.start({ peer: { mute: true } });
  const caller = await ground.ask();
  const peer = await ground.service.accepted();
  peer.send(Buffer.from("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
  await peer.gone();
  await caller.until(/^HTTP\/1\.1 502 /);
});

test("client: it begins with the preface and SETTINGS, and pushes are off", async () => {
  await using ground = await ClientGround.start();
  await ground.ask();
  const peer = await ground.asked();
  assert.equal(peer.frames[0]?.type, TYPE.settings);
  assert.equal(peer.settings.get(SETTINGS.enablePush), 0);
  assert.equal(CLIENT_PREFACE.length, 24);
});

test("client: SETTINGS and PING of a service are acknowledged", async () => {
  await using ground = await ClientGround.start();
  await ground.ask();
  const peer = await ground.asked();
  await peer.roundTrip();
  assert.equal(peer.acknowledged, 1);
});

test("client: a request has its pseudo-fields first and no connection field", async () => {
  await using ground = await ClientGround.start();
  await ground.ask(
    "/a?b=c",
    "GET",
    "Connection: x-hop, keep-alive\r\nX-Hop: 1\r\nTE: trailers\r\nX-Kept: Yes\r\n\r\n",
  );
  const peer = await ground.asked();
  const fields = peer.stream(1).heads[0] ?? [];
  assert.deepEqual(
    fields.slice(0, 4).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    [
      [":authority", "api.example"],
      [":method", "GET"],
      [":path", "/a?b=c"],
      [":scheme", "http"],
    ],
  );
  const names = fields.slice(4).map(([name]) => name);
  assert.ok(names.includes("x-kept"));
  for (const name of names) {
    assert.match(name, /^[a-z0-9-]+$/);
    assert.doesNotMatch(name, /^(?:host|connection|x-hop|keep-alive|transfer-encoding|upgrade)$/);
  }
});

test("client: a request without a host has the authority of its endpoint", async () => {
  await using ground = await ClientGround.start({
    handle: (exchange, loopback) => {
      const request = loopback.upstreamRequest(exchange);
      // As the proxy writes it for HTTP/1.0: an authority that is empty.
      loopback.upstream.forward(
        exchange,
        { ...request, fields: ["host", ""] },
        loopback.observer(),
      );
    },
  });
  const caller = await ground.loopback.caller();
  caller.send("GET /old HTTP/1.0\r\n\r\n");
  const peer = await ground.asked();
  assert.deepEqual(
    peer.stream(1).heads[0]?.find(([name]) => name === ":authority"),
    [":authority", `127.0.0.1:${ground.service.port}`],
  );
  answer(peer, 1, "an answer");
  await caller.until("an answer");
});

test("client: request identifiers are odd and grow", async () => {
  await using ground = await ClientGround.start();
  const first = await ground.ask("/1");
  const peer = await ground.asked();
  const others = [await ground.ask("/2"), await ground.ask("/3")];
  await arrived(peer, 5);
  for (const id of [5, 3, 1]) {
    const path = peer.stream(id).heads[0]?.find(([name]) => name === ":path")?.[1] ?? "";
    answer(peer, id, `answer to ${path}`);
  }
  await assertAnswered(first, "answer to /1");
  for (const [index, other] of others.entries()) {
    await assertAnswered(other, `answer to /${index + 2}`);
  }
  const opened = peer.frames.filter(({ type }) => type === TYPE.headers);
  assert.deepEqual(
    opened.map(({ streamId }) => streamId),
    [1, 3, 5],
  );
});

test("client: no more streams are open than SETTINGS_MAX_CONCURRENT_STREAMS", async () => {
  await using ground = await ClientGround.start({
    peer: { settings: [[SETTINGS.maxConcurrentStreams, 2]] },
  });
  const first = await ground.ask("/first");
  const peer = await ground.asked();
  answer(peer, 1, "first answer");
  await assertAnswered(first, "first answer");
  const callers = await Promise.all(
    Array.from({ length: 6 }, (_, index) => ground.ask(`/${index}`)),
  );
  const answered = new Set<string>();
  const open = (): [typeof peer, number][] =>
    ground.service.connections.flatMap((one) =>
      [...one.streams].flatMap(([id, stream]): [typeof peer, number][] =>
        stream.heads.length > 0 && !answered.has(`${ground.service.connections.indexOf(one)} ${id}`)
          ? [[one, id]]
          : [],
      ),
    );
  answered.add("0 1");
  for (let count = 0; count < callers.length; count += 1) {
    while (open().length === 0) await new Promise(setImmediate);
    for (const one of ground.service.connections) {
      await one.roundTrip();
      assert.ok(open().filter(([on]) => on === one).length <= 2, "three streams at once");
    }
    const [on, id] = open()[0] ?? [peer, 0];
    answered.add(`${ground.service.connections.indexOf(on)} ${id}`);
    answer(on, id, "an answer");
  }
  for (const caller of callers) await assertAnswered(caller, "an answer");
});

test("client: no more DATA is sent than the windows of the service", async () => {
  await using ground = await ClientGround.start({
    peer: { settings: [[SETTINGS.initialWindowSize, 10]], keepsWindows: true },
  });
  // So that its SETTINGS are known before a body is sent.
  const first = await ground.ask("/first");
  const peer = await ground.asked();
  answer(peer, 1, "first answer");
  await assertAnswered(first, "first answer");
  const caller = await ground.ask("/", "POST", `Content-Length: 100\r\n\r\n${"b".repeat(100)}`);
  await peer.until("10 bytes", () => peer.stream(3).body.length === 10);
  await peer.roundTrip();
  assert.equal(peer.stream(3).body.length, 10);
  peer.send(windowUpdateFrame(3, 1000));
  await peer.until("the body", () => peer.stream(3).ended);
  assert.equal(peer.stream(3).body.length, 100);
  answer(peer, 3, "an answer");
  await assertAnswered(caller, "an answer");
});

test("client: a body of 300 KB passes a default window whole", async () => {
  await using ground = await ClientGround.start();
  const body = "0123456789".repeat(30_000);
  const caller = await ground.ask("/", "POST", `Content-Length: ${body.length}\r\n\r\n${body}`);
  const peer = await ground.asked();
  await peer.until("the body", () => peer.stream(1).ended);
  assert.equal(String(peer.stream(1).body), body);
  for (const { payload } of peer.frames) assert.ok(payload.length <= DEFAULTS.maxFrameSize);
  answer(peer, 1, "an answer");
  await assertAnswered(caller, "an answer");
});

test("client: chunks of a caller and their trailers reach the service", async () => {
  await using ground = await ClientGround.start();
  const caller = await ground.ask(
    "/",
    "POST",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Late: yes\r\n\r\n",
  );
  const peer = await ground.asked();
  await peer.until("the end", () => peer.stream(1).ended);
  assert.equal(String(peer.stream(1).body), "hello");
  assert.deepEqual(peer.stream(1).heads[1], [["x-late", "yes"]]);
  assert.equal(
    peer.stream(1).heads[0]?.some(([name]) => name === "content-length"),
    false,
  );
  answer(peer, 1, "an answer");
  await assertAnswered(caller, "an answer");
});

test("client: padding of an answer is taken off", async () => {
  await using ground = await ClientGround.start();
  const caller = await ground.ask();
  const peer = await ground.asked();
  peer.send(
    headersFrame(1, padded(OK, 9), FLAGS.endHeaders | FLAGS.padded),
    dataFrame(1, padded("pure", 200), FLAGS.padded | FLAGS.endStream),
  );
  await caller.until("pure");
  assert.doesNotMatch(caller.text, /\0/);
});

test("client: interim answers are taken and the final one is the answer", async () => {
  await using ground = await ClientGround.start();
  const caller = await ground.ask();
  const peer = await ground.asked();
  peer.headers(
    1,
    [
      [":status", "103"],
      ["link", "</a>"],
    ],
    false,
  );
  peer.headers(1, [[":status", "100"]], false);
  answer(peer, 1, "an answer");
  await caller.until("an answer");
  assert.equal((await ground.outcome()).status, 200);
});

test("client: trailers of an answer reach a caller that takes them", async () => {
  await using ground = await ClientGround.start();
  const caller = await ground.ask("/", "GET", "TE: trailers\r\nConnection: te\r\n\r\n");
  const peer = await ground.asked();
  peer.headers(1, [[":status", "200"]], false);
  peer.data(1, "hello");
  peer.headers(1, [["x-late", "yes"]]);
  await caller.until("hello\r\n0\r\nx-late: yes\r\n\r\n");
});

test("client: the answer to HEAD has no body, whatever its content-length", async () => {
  await using ground = await ClientGround.start();
  const caller = await ground.ask("/", "HEAD");
  const peer = await ground.asked();
  peer.headers(1, [
    [":status", "200"],
    ["content-length", "500"],
  ]);
  assert.match(await caller.until("\r\n\r\n"), /content-length: 500\r\n/i);
  assert.equal((await ground.outcome()).end, "complete");
});

test("client: REFUSED_STREAM is sent again, elsewhere or here, and the caller does not see it", async () => {
  await using ground = await ClientGround.start();
  const caller = await ground.ask("/", "POST");
  const peer = await ground.asked();
  peer.send(rstStreamFrame(1, CODE.refusedStream));
  for (;;) {
    const again = ground.service.connections
      .flatMap((one) => [...one.streams].map(([id, stream]) => ({ one, id, stream })))
      .find(({ one, id, stream }) => stream.heads.length > 0 && !(one === peer && id === 1));
    if (again !== undefined) {
      answer(again.one, again.id, "second try");
      break;
    }
    await new Promise(setImmediate);
  }
  await assertAnswered(caller, "second try");
});

test("client: a stream above the last one of GOAWAY is sent again on another connection", async () => {
  await using ground = await ClientGround.start();
  const first = await ground.ask("/first");
  const peer = await ground.asked();
  const second = await ground.ask("/second", "POST");
  await arrived(peer, 3);
  peer.send(goawayFrame(1, CODE.noError));
  const other = await ground.asked();
  const path = other.stream(1).heads[0]?.find(([name]) => name === ":path")?.[1];
  assert.equal(path, "/second");
  answer(other, 1, "from another");
  await assertAnswered(second, "from another");
  answer(peer, 1, "from the first");
  await assertAnswered(first, "from the first");
});

test("client: no new stream is opened behind GOAWAY", async () => {
  await using ground = await ClientGround.start();
  const first = await ground.ask("/first");
  const peer = await ground.asked();
  peer.send(goawayFrame(2 ** 31 - 1, CODE.noError));
  await peer.roundTrip();
  const second = await ground.ask("/second");
  answer(await ground.asked(), 1, "from another");
  await assertAnswered(second, "from another");
  answer(peer, 1, "from the first");
  await assertAnswered(first, "from the first");
  assert.deepEqual([...peer.streams.keys()], [1]);
});

test("client: RST_STREAM of a service is a 502, and the connection is kept", async () => {
  await using ground = await ClientGround.start();
  const caller = await ground.ask("/", "POST");
  const peer = await ground.asked();
  peer.send(rstStreamFrame(1, CODE.internalError));
  await caller.until(/^HTTP\/1\.1 502 /);
  const next = await ground.ask("/next");
  await arrived(peer, 3);
  answer(peer, 3, "next answer");
  await assertAnswered(next, "next answer");
});

test("client: a caller that is gone resets its stream with CANCEL and no other", async () => {
  await using ground = await ClientGround.start();
  const leaver = await ground.ask("/leaver");
  const peer = await ground.asked();
  const stayer = await ground.ask("/stayer");
  await arrived(peer, 3);
  leaver.destroy();
  await peer.until("RST_STREAM", () => peer.stream(1).reset !== undefined);
  assert.equal(codeName(peer.stream(1).reset), "cancel");
  answer(peer, 3, "still here");
  await assertAnswered(stayer, "still here");
});

test("client: a service that answers early with NO_ERROR gives its answer", async () => {
  await using ground = await ClientGround.start();
  const caller = await ground.ask("/", "POST", "Content-Length: 1000\r\n\r\nbegun");
  const peer = await ground.asked();
  answer(peer, 1, "enough");
  peer.send(rstStreamFrame(1, CODE.noError));
  await assertAnswered(caller, "enough");
  const { status, end } = await ground.outcome();
  assert.deepEqual([status, end], [200, "complete"]);
});

test("client: an answer that its caller does not read is not asked for", async () => {
  await using ground = await ClientGround.start();
  const slow = await ground.ask("/slow");
  const peer = await ground.asked();
  slow.socket.pause();
  peer.headers(1, [[":status", "200"]], false);
  const initial = peer.settings.get(SETTINGS.initialWindowSize) ?? DEFAULTS.window;
  const granted = (id: number): number =>
    peer.frames
      .filter(({ type, streamId }) => type === TYPE.windowUpdate && streamId === id)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
  const most = 64 * 1024 * 1024;
  let sent = 0;
  for (;;) {
    const room = Math.min(initial + granted(1), DEFAULTS.window + granted(0)) - sent;
    if (room <= 0) {
      await peer.roundTrip();
      const now = Math.min(initial + granted(1), DEFAULTS.window + granted(0)) - sent;
      if (now <= 0) break;
      continue;
    }
    const size = Math.min(room, DEFAULTS.maxFrameSize);
    peer.data(1, Buffer.alloc(size));
    sent += size;
    assert.ok(sent < most, "the window has no end");
  }
  // The other stream of the same connection is not stalled.
  const next = await ground.ask("/next");
  await arrived(peer, 3);
  answer(peer, 3, "next answer");
  await assertAnswered(next, "next answer");
  slow.destroy();
});
