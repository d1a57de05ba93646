/**
 * Peers that hold what they have taken. A caller that asks for large answers and gives no window, or
 * gives windows and does not read its socket (CVE-2019-9517, "internal data buffering"; CVE-2016-1546),
 * makes a proxy gather them; one that opens streams and never ends them, or sends a byte a minute,
 * holds a request, a connection to a service and whatever was kept for it (slowloris, over HTTP/2 a
 * hundred at once on one connection). Bounded in bytes, cut off by the clock, and nobody else's matter.
 */
import { strict as assert } from "node:assert";
import { createServer, type Http2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { CLIENT_PREFACE, CODE, FLAGS, SETTINGS } from "../http2/codes.ts";
import { EndlessService } from "../http2/endless-service.ts";
import { dataFrame, headersFrame, settingsFrame, windowUpdateFrame } from "../http2/frames.ts";
import { assertAlive, codeName, Http2Ground } from "../http2/ground.ts";
import { encodeLiterals } from "../http2/hpack.ts";
import { type Http2Peer, type PeerOptions, requestFields, statusOf } from "../http2/peer.ts";

const MIB = 1024 * 1024;
const POST = encodeLiterals(requestFields("POST", "/"));

/** What may lie between a service and a caller that takes nothing: sockets of the system, and ours. */
const BETWEEN = 24 * MIB;

/** Of what is forwarded: only the caller's own slowness is to end it. */
const PATIENT = {
  connectTimeoutMs: 3_600_000,
  responseTimeoutMs: 3_600_000,
  idleTimeoutMs: 3_600_000,
  totalTimeoutMs: 3_600_000,
} as const;

/** Turns the clock, second by second, until `holds`; false after that many. */
async function within(
  ground: Http2Ground,
  seconds: number,
  holds: () => boolean,
): Promise<boolean> {
  for (let passed = 0; passed < seconds; passed += 1) {
    if (holds()) return true;
    ground.loopback.pass(1000);
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  }
  return holds();
}

/** Waits until no more is taken of the service for a while. */
async function settled(service: { readonly taken: number }): Promise<void> {
  for (let before = -1; before !== service.taken;) {
    before = service.taken;
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  }
}

const UNREAD: readonly [name: string, options: PeerOptions, stall: boolean][] = [
  ["gives its streams no window", { settings: [[SETTINGS.initialWindowSize, 0]] }, false],
  ["gives its connection no window", { keepsWindows: true }, false],
  [
    "gives every window and does not read",
    { settings: [[SETTINGS.initialWindowSize, 2 ** 31 - 1]], keepsWindows: true },
    true,
  ],
];

for (const [name, options, stall] of UNREAD) {
  test(`a caller of 50 large answers that ${name} holds little, and not for long`, async () => {
    await using service = await new EndlessService().start();
    await using ground = await Http2Ground.start({
      endpoints: [service.port],
      limits: { readTimeout: "10s" },
      request: PATIENT,
    });
    const caller = await ground.caller(options);
    if (stall) caller.send(windowUpdateFrame(0, 2 ** 31 - 1 - 65_535));
    await caller.roundTrip();
    if (stall) caller.stall();
    for (let id = 1; id < 100; id += 2) caller.headers(id, requestFields("GET", "/"));
    while (service.open < 50) await new Promise(setImmediate);
    await settled(service);
    assert.ok(service.taken <= 50 * BETWEEN, `${service.taken} bytes were taken of the service`);
    const resident = process.memoryUsage.rss();
    await settled(service);
    assert.ok(process.memoryUsage.rss() < resident + 100 * MIB);
    const ended = await within(ground, 120, () => service.open === 0);
    assert.ok(ended, `${service.open} answers are still held after two minutes`);
    assert.ok(ground.loopback.hits("readTimeout") + ground.loopback.hits("http2Unread") > 0);
  });
}

test("a caller without windows does not make a service over HTTP/2 fill them for it", async () => {
  await using service = await startEndlessHttp2();
  await using ground = await Http2Ground.start({
    service: { endpoints: [`h2c://127.0.0.1:${service.port}`] },
    request: PATIENT,
  });
  const caller = await ground.caller({ settings: [[SETTINGS.initialWindowSize, 0]] });
  for (let id = 1; id < 200; id += 2) caller.headers(id, requestFields("GET", "/"));
  while (service.open < 100) await new Promise(setImmediate);
  await settled(service);
  assert.ok(service.taken <= 20 * MIB, `${service.taken} bytes were taken of the service`);
});

test("streams that are never ended are cut off by the clock, one by one", async () => {
  await using ground = await Http2Ground.start({
    limits: { bodyTimeout: "5s" },
    request: PATIENT,
  });
  const caller = await ground.caller();
  for (let id = 1; id < 100; id += 2) caller.send(headersFrame(id, POST, FLAGS.endHeaders));
  caller.data(1, "begun");
  while (ground.service.connections.length < 50) await new Promise(setImmediate);
  const answered = (): boolean =>
    Array.from({ length: 50 }, (_, index) => caller.stream(index * 2 + 1)).every(
      (seen) => seen.ended || seen.reset !== undefined,
    );
  assert.ok(await within(ground, 60, answered), "some are still open after a minute");
  assert.equal(statusOf(caller.stream(1)), 408);
  assert.ok(ground.loopback.hits("bodyTimeout") >= 50);
  await assertAlive(caller);
});

test("a body of a byte a second is cut off, and the others of its connection are not", async () => {
  await using ground = await Http2Ground.start({
    limits: { bodyTimeout: "5s", bodyRate: "1KiB" },
    request: PATIENT,
  });
  const caller = await ground.caller();
  caller.send(headersFrame(1, POST, FLAGS.endHeaders));
  const seen = caller.stream(1);
  const ended = await within(ground, 60, () => {
    if (seen.ended || seen.reset !== undefined) return true;
    caller.data(1, "x");
    return false;
  });
  assert.ok(ended);
  assert.equal(statusOf(seen), 408);
  await assertAlive(caller);
});

const MUTE: readonly [name: string, send: (caller: Http2Peer) => void][] = [
  ["half a preface", (caller) => caller.send(CLIENT_PREFACE.subarray(0, 12))],
  ["a preface without SETTINGS", (caller) => caller.send(CLIENT_PREFACE)],
  ["half a frame", (caller) => caller.send(CLIENT_PREFACE, settingsFrame([]).subarray(0, 5))],
  ["SETTINGS and no request", (caller) => caller.send(CLIENT_PREFACE, settingsFrame([]))],
];

for (const [name, send] of MUTE) {
  test(`a caller that sends ${name} and no more is closed`, async () => {
    await using ground = await Http2Ground.start({
      limits: { headTimeout: "5s", idleTimeout: "10s" },
    });
    const other = await ground.caller();
    const caller = await ground.caller({ mute: true });
    send(caller);
    await other.roundTrip();
    const closed = (): boolean => caller.ended || caller.closed;
    assert.ok(await within(ground, 60, closed), "it is open after a minute");
  });
}

test("a connection that rests between requests is closed, with NO_ERROR", async () => {
  await using ground = await Http2Ground.start({ limits: { idleTimeout: "10s" } });
  const caller = await ground.caller();
  await caller.get(1);
  assert.ok(await within(ground, 120, () => caller.ended || caller.closed));
  assert.equal(codeName(caller.goaway?.code), "noError");
});

test("a caller that never acknowledges SETTINGS is closed with SETTINGS_TIMEOUT", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller({ rude: true });
  caller.send(headersFrame(1, POST, FLAGS.endHeaders));
  await caller.until("SETTINGS", () => caller.frames.length > 0);
  const closed = (): boolean => caller.ended || caller.closed;
  assert.ok(await within(ground, 60, closed), "it is open after a minute");
  assert.equal(caller.goaway?.code, CODE.settingsTimeout);
});

test("a caller that keeps its side open after its connection has failed is cut off", async () => {
  await using ground = await Http2Ground.start();
  const { listener } = ground.loopback;
  const caller = await ground.caller();
  caller.send(dataFrame(0, "x"));
  assert.equal(codeName(await caller.gone()), "protocolError");
  assert.equal(listener.connections, 1);
  assert.ok(await within(ground, 60, () => listener.connections === 0), "it is still there");
});

/** A service over HTTP/2 whose every answer has no end, and which counts what was taken of it. */
async function startEndlessHttp2(): Promise<{
  readonly port: number;
  readonly open: number;
  readonly taken: number;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const piece = Buffer.alloc(16 * 1024, "a");
  const sessions = new Set<Http2Session>();
  let open = 0;
  let taken = 0;
  const server = createServer({ settings: { maxConcurrentStreams: 1000 } });
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream) => {
    open += 1;
    stream.on("error", () => undefined);
    stream.respond();
    const more = (): void => {
      stream.write(piece, (error) => {
        if (error !== undefined && error !== null) return;
        taken += piece.length;
        more();
      });
    };
    more();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get open() {
      return open;
    },
    get taken() {
      return taken;
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
