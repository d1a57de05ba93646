/** Each flood from the wire: it ends its connection with the right code, is counted, and harms no other. */
import assert from "node:assert/strict";
import test from "node:test";
import { FLAG, FRAME, H2_ERROR, SETTING } from "../../wire/http2/codes.ts";
import { Loopback, type LoopbackOptions } from "../loopback.fixture.ts";
import { Floods } from "./floods.ts";
import { Http2Peer } from "./peer.fixture.ts";

const CALM = H2_ERROR.enhanceYourCalm;

interface Flood {
  readonly name: string;
  readonly limit: string;
  /** Sends the one with this number. */
  readonly send: (peer: Http2Peer, index: number) => void;
  readonly options?: LoopbackOptions;
  /** How many are enough, and how many are no flood. */
  readonly many: number;
  readonly few: number;
}

function frame(peer: Http2Peer, type: number, id: number, payload: Buffer | string): void {
  peer.raw(type, 0, id, payload);
}

const increment = (bytes: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return payload;
};

const FLOODS: readonly Flood[] = [
  {
    name: "rapid reset (CVE-2023-44487)",
    limit: "http2Resets",
    send: (peer, index) => {
      peer.request(index * 2 + 1);
      peer.rst(index * 2 + 1, H2_ERROR.cancel);
    },
    options: { handle: () => {}, listener: { http2: { maxStreams: 10_000 } } },
    many: 300,
    few: 150,
  },
  {
    name: "MadeYouReset by a window of zero (CVE-2025-8671)",
    limit: "http2Resets",
    send: (peer, index) => {
      peer.request(index * 2 + 1);
      frame(peer, FRAME.windowUpdate, index * 2 + 1, increment(0));
    },
    options: { handle: () => {}, listener: { http2: { maxStreams: 10_000 } } },
    many: 300,
    few: 150,
  },
  {
    name: "MadeYouReset by frames after the end",
    limit: "http2Resets",
    send: (peer, index) => {
      peer.request(index * 2 + 1);
      peer.send(index * 2 + 1, "late");
    },
    options: { handle: () => {}, listener: { http2: { maxStreams: 10_000 } } },
    many: 300,
    few: 150,
  },
  {
    name: "MadeYouReset by a window that overflows",
    limit: "http2Resets",
    send: (peer, index) => {
      peer.request(index * 2 + 1);
      frame(peer, FRAME.windowUpdate, index * 2 + 1, increment(2 ** 31 - 1));
    },
    options: { handle: () => {}, listener: { http2: { maxStreams: 10_000 } } },
    many: 300,
    few: 150,
  },
  {
    name: "streams beyond the limit",
    limit: "http2Resets",
    send: (peer, index) => peer.request(index * 2 + 1),
    options: { handle: () => {}, listener: { http2: { maxStreams: 1 } } },
    many: 300,
    few: 150,
  },
  {
    name: "malformed requests",
    limit: "http2Resets",
    send: (peer, index) => peer.section(index * 2 + 1, ["x", "no pseudo-fields"], true),
    many: 300,
    few: 150,
  },
  {
    name: "SETTINGS (CVE-2019-9515)",
    limit: "http2Settings",
    send: (peer) => frame(peer, FRAME.settings, 0, ""),
    many: 60,
    few: 20,
  },
  {
    name: "PING (CVE-2019-9512)",
    limit: "http2Pings",
    send: (peer) => frame(peer, FRAME.ping, 0, "12345678"),
    many: 200,
    few: 80,
  },
  {
    name: "acknowledgements of PINGs that were never sent",
    limit: "http2Pings",
    send: (peer) => peer.raw(FRAME.ping, FLAG.ack, 0, "12345678"),
    many: 200,
    few: 80,
  },
  {
    name: "empty DATA (CVE-2019-9518)",
    limit: "http2EmptyData",
    send: (peer, index) => {
      if (index === 0) peer.request(1, [], false);
      frame(peer, FRAME.data, 1, "");
    },
    options: { handle: () => {} },
    many: 200,
    few: 80,
  },
  {
    name: "WINDOW_UPDATE",
    limit: "http2WindowUpdates",
    send: (peer) => frame(peer, FRAME.windowUpdate, 0, increment(1)),
    many: 1500,
    few: 900,
  },
  {
    name: "windows that are opened by a byte (CVE-2019-9511)",
    limit: "http2WindowUpdates",
    send: (peer, index) => {
      if (index === 0) {
        peer.reading = false;
        frame(peer, FRAME.settings, 0, Buffer.from([0, SETTING.initialWindowSize, 0, 0, 0, 0]));
        peer.request(1);
      }
      frame(peer, FRAME.windowUpdate, 1, increment(1));
    },
    options: { handle: (exchange) => exchange.reply(200, [], "d".repeat(10_000)) },
    many: 1500,
    few: 900,
  },
  {
    name: "PRIORITY (CVE-2019-9513)",
    limit: "http2Priority",
    send: (peer, index) => frame(peer, FRAME.priority, index * 2 + 1, "\0\0\0\0\x10"),
    many: 400,
    few: 150,
  },
  {
    name: "unknown frames",
    limit: "http2Unknown",
    send: (peer) => frame(peer, 0xfa, 0, "grease"),
    many: 400,
    few: 150,
  },
  {
    name: "GOAWAY",
    limit: "http2Unknown",
    send: (peer) => frame(peer, FRAME.goaway, 0, Buffer.alloc(8)),
    many: 400,
    few: 150,
  },
];

for (const { name, limit, send, options, many, few } of FLOODS) {
  test(`a flood of ${name} ends its connection with ENHANCE_YOUR_CALM`, async () => {
    await using loopback = await new Loopback(options ?? {}).start();
    const peer = new Http2Peer((await loopback.caller()).socket).start();
    const other = new Http2Peer((await loopback.caller()).socket).start();
    await other.until("settingsAck");
    for (let index = 0; index < many; index += 1) send(peer, index);
    assert.equal((await peer.until("goaway")).code, CALM);
    await peer.untilClosed();
    assert.equal(loopback.hits(limit), 1);
    assert.equal(other.closed, false);
    assert.ok(loopback.exchanges.every((exchange) => exchange.gone));
  });

  test(`some of ${name} are no flood`, async () => {
    await using loopback = await new Loopback(options ?? {}).start();
    const peer = new Http2Peer((await loopback.caller()).socket).start();
    await peer.until("settingsAck");
    for (let index = 0; index < few; index += 1) send(peer, index);
    peer.writer.ping(Buffer.from("the last"), false);
    peer.flush();
    await peer.until("ping", ({ opaque, ack }) => ack && opaque === "the last");
    assert.equal(loopback.hits(limit), 0);
    peer.socket.destroy();
  });
}

test("Floods forget with time", () => {
  const floods = new Floods();
  let now = 1000;
  let taken = 0;
  while (floods.allows("resets", now)) taken += 1;
  assert.equal(taken, 200);
  now += 1000;
  for (taken = 0; floods.allows("resets", now); taken += 1);
  assert.equal(taken, 20);
  now += 3_600_000;
  for (taken = 0; floods.allows("resets", now); taken += 1);
  assert.equal(taken, 200);
});

test("Floods count a reset that has waited for a tenth", () => {
  const taken = (openedAt: number, answered: boolean): number => {
    const floods = new Floods();
    let count = 0;
    while (floods.allowsReset({ openedAt, answered }, 100_000)) count += 1;
    return Math.round(count / 10) * 10;
  };
  assert.equal(taken(99_900, false), 200);
  assert.equal(taken(99_000, false), 2000);
  assert.equal(taken(99_900, true), 2000);
});

test("Floods allow one reset for some streams that end as they should, however many there are", () => {
  const floods = new Floods();
  for (let index = 0; index < 10_000; index += 1) {
    for (let ended = 0; ended < 4; ended += 1) floods.streamEnded();
    assert.ok(floods.allowsReset({ openedAt: 1, answered: false }, 1));
  }
});

test("Floods allow as many updates of windows and PINGs as DATA that was sent is a reason for", () => {
  const floods = new Floods();
  for (let index = 0; index < 100_000; index += 1) {
    floods.dataSent();
    assert.ok(floods.allows("pings", 1));
    for (let update = 0; update < 8; update += 1) assert.ok(floods.allows("windowUpdates", 1));
  }
});

test("Floods allow what clients say about each stream", () => {
  const floods = new Floods();
  for (let index = 0; index < 100_000; index += 1) {
    floods.streamOpened();
    for (const kind of ["priority", "priority", "unknown", "unknown"] as const) {
      assert.ok(floods.allows(kind, 1));
    }
  }
});

test("a caller that goes on sending after its end is reset", async () => {
  await using loopback = await new Loopback().start();
  const caller = await loopback.caller();
  caller.socket.removeAllListeners("end");
  const peer = new Http2Peer(caller.socket);
  caller.socket.removeAllListeners("end");
  peer.start();
  await peer.until("settingsAck");
  peer.raw(FRAME.ping, 0, 0, "short");
  await peer.until("goaway");
  assert.equal(loopback.listener.connections, 1);
  const more = Buffer.alloc(64 * 1024);
  while (loopback.listener.connections > 0) {
    caller.socket.write(more);
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test("a header block without an end is a flood of CONTINUATION frames", async () => {
  await using loopback = await new Loopback().start();
  const peer = new Http2Peer((await loopback.caller()).socket).start();
  await peer.until("settingsAck");
  peer.raw(FRAME.headers, 0, 1, "");
  for (let index = 0; index < 100; index += 1) peer.raw(FRAME.continuation, 0, 1, "");
  assert.equal((await peer.until("goaway")).code, CALM);
  await peer.untilClosed();
  assert.equal(loopback.hits("http2Continuations"), 1);
});

test("a header block of more bytes than are read for any answer ends the connection", async () => {
  await using loopback = await new Loopback().start();
  const peer = new Http2Peer((await loopback.caller()).socket).start();
  await peer.until("settingsAck");
  peer.raw(FRAME.headers, 0, 1, "");
  for (let index = 0; index < 8; index += 1) {
    peer.raw(FRAME.continuation, 0, 1, Buffer.alloc(16_000));
  }
  assert.equal((await peer.until("goaway")).code, CALM);
  await peer.untilClosed();
  assert.equal(loopback.hits("http2HeaderBlock"), 1);
});

test("a small block that decodes to megabytes is refused without being decoded", async () => {
  await using loopback = await new Loopback({
    handle: (exchange) => exchange.reply(200, [], "yes"),
  }).start();
  const peer = new Http2Peer((await loopback.caller()).socket).start();
  await peer.until("settingsAck");
  // RFC 7541 section 6.2.1 by hand: a literal that is put into the table, and 4000 references to it.
  const size = 3900;
  const literal = Buffer.concat([
    Buffer.from([0x40, 1, "x".charCodeAt(0), 0x7f]),
    Buffer.from([((size - 127) & 0x7f) | 0x80, (size - 127) >> 7]),
    Buffer.alloc(size, "a"),
  ]);
  // :method GET, :scheme http, :path /, :authority a
  const head = Buffer.from([0x82, 0x86, 0x84, 0x01, 1, "a".charCodeAt(0)]);
  const flags = FLAG.endHeaders | FLAG.endStream;
  peer.raw(FRAME.headers, flags, 1, Buffer.concat([head, literal]));
  assert.equal((await peer.answer(1)).status, "200");
  peer.raw(FRAME.headers, flags, 3, Buffer.concat([head, Buffer.alloc(4000, 0xbe)]));
  assert.equal((await peer.answer(3)).status, "431");
  assert.equal(loopback.hits("headBytes"), 1);
  peer.raw(FRAME.headers, flags, 5, Buffer.concat([head, Buffer.from([0xbe])]));
  assert.equal((await peer.answer(5)).status, "200");
});

test("names without a character are refused", async () => {
  await using loopback = await new Loopback().start();
  const peer = new Http2Peer((await loopback.caller()).socket).start();
  peer.request(1, ["", "x"]);
  assert.equal((await peer.answer(1)).status, "400");
});
