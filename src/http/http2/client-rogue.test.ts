/**
 * Services that break the rules, played frame by frame: what is wrong costs the request that it
 * answers, or its connection, and nobody else.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FLAG, FRAME, H2_ERROR, SETTING } from "../../wire/http2/codes.ts";
import { GET, OK, started } from "./client-ground.fixture.ts";
import { block, number32, type RawHttp2 } from "./raw-service.fixture.ts";

test("what is malformed is 502 and PROTOCOL_ERROR for its stream alone", async (t) => {
  const cases: [what: string, answer: (service: RawHttp2, id: number) => void, detail: RegExp][] = [
    ["no status", (s, id) => s.headers(id, ["a", "b"]), /status/],
    ["101", (s, id) => s.headers(id, [":status", "101"]), /101/],
    ["an upper-case name", (s, id) => s.headers(id, [...OK, "X-a", "b"]), /name/],
    ["a connection header", (s, id) => s.headers(id, [...OK, "connection", "close"]), /neighbour/],
    ["transfer-encoding", (s, id) => s.headers(id, [...OK, "transfer-encoding", "chunked"]), /./],
    ["LF in a value", (s, id) => s.headers(id, [...OK, "a", "b\nc: d"]), /value/],
    ["a pseudo-field late", (s, id) => s.headers(id, ["a", "b", ":status", "200"]), /:status/],
    ["two lengths", (s, id) => s.headers(id, [...OK, "content-length", "3"]), /length/i],
    ["DATA before the head", (s, id) => s.data(id, "a"), /DATA before the head/],
    ["too many interim answers", (s, id) => interims(s, id, 9), /too many interim/],
    ["many fields", (s, id) => s.headers(id, Array(2000).fill("a")), /fields/],
    ["a small block that stands for much", bomb, /bytes/],
  ];
  for (const [what, answer, detail] of cases) {
    await t.test(what, async () => {
      await using ground = await started();
      const { proxy, service } = ground;
      const [first, second] = [await ground.asked(GET), await ground.asked(GET)];
      const connection = await service.accepted();
      const one = await connection.request();
      const two = await connection.request();
      answer(connection, one.id);
      assert.match(await first.until("\r\n\r\n"), /^HTTP\/1.1 502 /);
      const outcome = await proxy.outcome(0);
      assert.equal(outcome.end, "upstream-protocol");
      assert.match(outcome.detail ?? "", detail);
      assert.deepEqual(await resetOf(connection), [one.id, H2_ERROR.protocolError]);
      connection.headers(two.id, OK);
      connection.data(two.id, "ok", true);
      assert.match(await second.until("ok"), /^HTTP\/1.1 200 /);
      assert.equal(service.connections.length, 1);
    });
  }
});

test("an answer that ends before it is one is 502", async (t) => {
  const cases: [what: string, answer: (service: RawHttp2, id: number) => void, detail: RegExp][] = [
    ["an interim head", (s, id) => s.headers(id, [":status", "103"], true), /interim/],
    ["no head", (s, id) => s.data(id, "", true), /before the head/],
    ["a length and no DATA", (s, id) => s.headers(id, OK, true), /Content-Length/],
  ];
  for (const [what, answer, detail] of cases) {
    await t.test(what, async () => {
      await using ground = await started();
      const caller = await ground.asked(GET);
      const connection = await ground.service.accepted();
      answer(connection, (await connection.request()).id);
      assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 502 /);
      assert.match((await ground.proxy.outcome(0)).detail ?? "", detail);
    });
  }
});

test("a body that is not as long as announced cuts the answer off", async (t) => {
  const cases: [what: string, body: (service: RawHttp2, id: number) => void][] = [
    ["less DATA", (s, id) => s.data(id, "o", true)],
    ["more DATA", (s, id) => s.data(id, "okk")],
    ["less DATA and trailers", (s, id) => s.headers(id, ["x", "y"], true)],
    ["trailers that do not end it", (s, id) => s.headers(id, ["x", "y"])],
    ["malformed trailers", (s, id) => s.headers(id, [":status", "200"], true)],
    ["a reset", (s, id) => s.reset(id, H2_ERROR.internalError)],
    ["a reset that says that all is well", (s, id) => s.reset(id, H2_ERROR.noError)],
  ];
  for (const [what, body] of cases) {
    await t.test(what, async () => {
      await using ground = await started();
      const caller = await ground.asked(GET);
      const connection = await ground.service.accepted();
      const { id } = await connection.request();
      connection.headers(id, OK);
      await caller.until("\r\n\r\n");
      body(connection, id);
      assert.notEqual(await caller.untilEnd(), "ok");
      assert.equal((await ground.proxy.outcome(0)).end, "upstream-protocol");
      assert.equal(connection.closed, false);
    });
  }
});

test("DATA after an answer without a body is 502", async () => {
  await using ground = await started();
  const caller = await ground.asked("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  const connection = await ground.service.accepted();
  const { id } = await connection.request();
  connection.headers(id, OK);
  connection.data(id, "ok", true);
  assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 502 /);
  const { end, detail } = await ground.proxy.outcome(0);
  assert.deepEqual([end, detail], ["upstream-protocol", "more DATA than the answer may have"]);
});

test("a flood ends its connection with the right code, and the others live", async (t) => {
  const times = (count: number, send: () => void): void => {
    for (let sent = 0; sent < count; sent += 1) send();
  };
  const cases: [what: string, flood: (s: RawHttp2, id: number) => void, code: number][] = [
    ["SETTINGS", (s) => times(200, () => s.settings()), H2_ERROR.enhanceYourCalm],
    [
      "PING",
      (s) => times(500, () => s.send(FRAME.ping, 0, 0, "12345678")),
      H2_ERROR.enhanceYourCalm,
    ],
    [
      "WINDOW_UPDATE",
      (s) => times(5000, () => s.send(FRAME.windowUpdate, 0, 0, number32(1))),
      H2_ERROR.enhanceYourCalm,
    ],
    ["empty DATA", (s, id) => emptyData(s, id, 500), H2_ERROR.enhanceYourCalm],
    ["unknown frames", (s) => times(1000, () => s.send(0xfa, 0, 0)), H2_ERROR.enhanceYourCalm],
    ["CONTINUATION", continuations, H2_ERROR.enhanceYourCalm],
    [
      "PUSH_PROMISE",
      (s, id) =>
        s.send(FRAME.pushPromise, FLAG.endHeaders, id, Buffer.concat([number32(2), block(OK)])),
      H2_ERROR.protocolError,
    ],
    [
      "a block that is not HPACK",
      (s, id) => s.send(FRAME.headers, FLAG.endHeaders, id, "\xff\xff\xff\xff\xff"),
      H2_ERROR.compressionError,
    ],
    ["a stream of its own", (s) => s.headers(2, OK), H2_ERROR.protocolError],
    ["a stream that nobody opened", (s) => s.headers(99, OK), H2_ERROR.protocolError],
    [
      "a frame above the largest",
      (s, id) => s.data(id, Buffer.alloc(16_385)),
      H2_ERROR.frameSizeError,
    ],
  ];
  for (const [what, flood, code] of cases) {
    await t.test(what, async () => {
      await using ground = await started({ service: { connections: 2 } });
      const first = await ground.asked(GET);
      const bad = await ground.service.accepted([[SETTING.maxConcurrentStreams, 1]]);
      const { id } = await bad.request();
      const second = await ground.asked(GET);
      const good = await ground.service.accepted();
      const other = await good.request();
      flood(bad, id);
      const { payload } = await bad.next(FRAME.goaway);
      assert.equal(payload.readUInt32BE(4), code);
      const outcome = await ground.proxy.outcome(0);
      assert.match(outcome.end, /^upstream-(?:protocol|unreachable)$/);
      // Where an answer had begun it is cut off.
      assert.match(await first.until(/HTTP\/1.1 502 |chunked\r\n\r\n/), /^HTTP\/1.1 (?:502|200) /);
      assert.equal(first.text.includes("\r\n0\r\n"), false);
      good.headers(other.id, OK);
      good.data(other.id, "ok", true);
      assert.match(await second.until("ok"), /^HTTP\/1.1 200 /);
    });
  }
});

function interims(service: RawHttp2, id: number, count: number): void {
  for (let sent = 0; sent < count; sent += 1) service.headers(id, [":status", "103"]);
}

function emptyData(service: RawHttp2, id: number, count: number): void {
  service.headers(id, [":status", "200"]);
  for (let sent = 0; sent < count; sent += 1) service.data(id, "");
}

function continuations(service: RawHttp2, id: number): void {
  service.send(FRAME.headers, 0, id, block(OK));
  for (let sent = 0; sent < 100; sent += 1) service.send(FRAME.continuation, 0, id);
}

/** A name and a value of 3 kB, indexed, and then their number a hundred times. */
function bomb(service: RawHttp2, id: number): void {
  const entry = Buffer.concat([Buffer.from([0x40]), block(["a", "x".repeat(3000)]).subarray(1)]);
  const payload = Buffer.concat([block(OK), entry, Buffer.alloc(100, 0x80 | 62)]);
  service.send(FRAME.headers, FLAG.endHeaders, id, payload);
}

/** Stream and code of the next RST_STREAM. */
async function resetOf(connection: RawHttp2): Promise<[id: number, code: number]> {
  const { streamId, payload } = await connection.next(FRAME.rstStream);
  return [streamId, payload.readUInt32BE()];
}
