/** How many connections there are, what goes over which, and what becomes of requests when one ends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { FRAME, H2_ERROR, SETTING } from "../../wire/http2/codes.ts";
import { ManualClock } from "../../platform/clock.ts";
import { Deadlines } from "../deadlines.ts";
import type { PoolOptions } from "../endpoint.ts";
import { Loopback, portOf } from "../loopback.fixture.ts";
import { Http2ClientPool } from "./client-pool.ts";
import { answer, GET, OK, POST, started } from "./client-ground.fixture.ts";
import { number32, type RawHttp2, RawHttp2Service } from "./raw-service.fixture.ts";

const ONE: readonly (readonly [number, number])[] = [[SETTING.maxConcurrentStreams, 1]];
const BAD_GATEWAY = /^HTTP\/1.1 502 /;

test("requests share a connection until it is full, and another one is opened for the next", async () => {
  await using ground = await started();
  const { service } = ground;
  const first = await ground.asked(GET);
  const one = await service.accepted([[SETTING.maxConcurrentStreams, 2]]);
  const requests = [await one.request()];
  const second = await ground.asked(GET);
  requests.push(await one.request());
  const third = await ground.asked(GET);
  const two = await service.accepted();
  answer(two, (await two.request()).id);
  await third.until("ok");
  for (const { id } of requests) answer(one, id);
  await first.until("ok");
  await second.until("ok");
  // The first one has room again, and the other one is left alone.
  first.send(GET);
  answer(one, (await one.request()).id);
  await first.until("ok");
  assert.equal(service.connections.length, 2);
});

test("nothing is sent before the service's SETTINGS, and then no more than it takes", async () => {
  await using ground = await started({ service: { connections: 2 } });
  const callers = [await ground.asked(GET), await ground.asked(GET)];
  const one = await ground.service.accepted("silent");
  await one.next(FRAME.settings);
  assert.equal(
    one.frames.some(({ type }) => type === FRAME.headers),
    false,
  );
  one.settings(ONE);
  const { id } = await one.request();
  const two = await ground.service.accepted(ONE);
  const other = await two.request();
  answer(one, id);
  answer(two, other.id);
  for (const caller of callers) await caller.until("ok");
  assert.equal(one.frames.filter(({ type }) => type === FRAME.headers).length, 1);
});

test("who opens a connection refuses pushes", async () => {
  await using ground = await started();
  await ground.asked(GET);
  const connection = await ground.service.accepted("silent");
  const { payload } = await connection.next(FRAME.settings);
  const pairs = Array.from({ length: payload.length / 6 }, (_, index) => [
    payload.readUInt16BE(index * 6),
    payload.readUInt32BE(index * 6 + 2),
  ]);
  assert.deepEqual(
    pairs.find(([id]) => id === SETTING.enablePush),
    [SETTING.enablePush, 0],
  );
});

test("requests beyond the connections and their streams are answered 503", async () => {
  await using ground = await started({ service: { connections: 1 } });
  const first = await ground.asked(GET);
  const connection = await ground.service.accepted(ONE);
  const { id } = await connection.request();
  const second = await ground.asked(GET);
  assert.match(await second.until("\r\n\r\n"), /^HTTP\/1.1 503 /);
  answer(connection, id);
  await first.until("ok");
  assert.equal((await ground.proxy.outcome(0)).end, "overloaded");
});

test("what waits for a connection that takes fewer than was thought goes on as there is room", async () => {
  await using ground = await started({ service: { connections: 1 } });
  const callers = [await ground.asked(GET), await ground.asked(GET), await ground.asked(GET)];
  const connection = await ground.service.accepted("silent");
  await connection.next(FRAME.settings);
  while (ground.proxy.exchanges.length < 3) await ground.proxy.changed();
  connection.settings(ONE);
  for (let served = 0; served < 3; served += 1) answer(connection, (await connection.request()).id);
  for (const caller of callers) await caller.until("ok");
  assert.equal(ground.service.connections.length, 1);
});

test("a service that takes no requests for now gets them when it does again", async () => {
  await using ground = await started({ service: { connections: 1 } });
  const { caller, connection } = await ground.served();
  connection.settings([[SETTING.maxConcurrentStreams, 0]]);
  while (
    connection.frames.filter(({ type, flags }) => type === FRAME.settings && flags === 1).length < 2
  ) {
    await connection.next(FRAME.settings);
  }
  caller.send(GET);
  assert.match(await caller.until("overloaded"), /^HTTP\/1.1 503 /);
  connection.settings(ONE);
  await connection.next(FRAME.settings);
  caller.send(GET);
  answer(connection, (await connection.request()).id);
  await caller.until("ok");
});

test("after a GOAWAY what the service saw finishes, what it did not goes to a new connection", async () => {
  await using ground = await started();
  const { service } = ground;
  const first = await ground.asked(GET);
  const old = await service.accepted();
  const seen = await old.request();
  const second = await ground.asked(POST);
  await old.request();
  old.goaway(seen.id, H2_ERROR.noError);
  const fresh = await service.accepted();
  const again = await fresh.request();
  assert.equal((await fresh.next(FRAME.data)).payload.toString(), "hello");
  answer(fresh, again.id);
  await second.until("ok");
  answer(old, seen.id);
  await first.until("ok");
  await old.untilClosed();
  first.send(GET);
  answer(fresh, (await fresh.request()).id);
  await first.until("ok");
  assert.equal(service.connections.length, 2);
});

test("what a service refuses untouched is sent again, whatever its method, and not for ever", async () => {
  await using ground = await started();
  const caller = await ground.asked(POST);
  const connection = await ground.service.accepted();
  for (let refused = 0; refused < 4; refused += 1) {
    const { id, fields } = await connection.request();
    assert.equal(fields[fields.indexOf(":method") + 1], "POST");
    assert.equal((await connection.next(FRAME.data)).payload.toString(), "hello");
    connection.reset(id, H2_ERROR.refusedStream);
  }
  assert.match(await caller.until("\r\n\r\n"), BAD_GATEWAY);
  const { end, detail } = await ground.proxy.outcome(0);
  assert.deepEqual([end, detail], ["upstream-unreachable", "RST_STREAM REFUSED_STREAM"]);
});

test("what is not untouched, or not at hand any more, is not sent again", async (t) => {
  const large = "x".repeat(100_000);
  const cases: [what: string, request: string, does: (s: RawHttp2, id: number) => void][] = [
    ["POST, reset", POST, (s, id) => s.reset(id, H2_ERROR.internalError)],
    ["GET, reset", GET, (s, id) => s.reset(id, H2_ERROR.cancel)],
    ["below a GOAWAY's last", POST, (s, id) => (s.goaway(id, 0), s.socket.end())],
    [
      "a large body",
      `POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: ${large.length}\r\n\r\n${large}`,
      (s, id) => s.reset(id, H2_ERROR.refusedStream),
    ],
    [
      "refused after it was answered",
      POST,
      (s, id) => (s.headers(id, OK), s.reset(id, H2_ERROR.refusedStream)),
    ],
  ];
  for (const [what, request, does] of cases) {
    await t.test(what, async () => {
      await using ground = await started();
      const caller = await ground.asked(request);
      const connection = await ground.service.accepted([[SETTING.initialWindowSize, 1 << 20]]);
      connection.send(FRAME.windowUpdate, 0, 0, number32(1 << 20));
      const { id } = await connection.request();
      if (request !== GET) {
        for (let bytes = 0; bytes < (request === POST ? 5 : large.length);) {
          bytes += (await connection.next(FRAME.data)).payload.length;
        }
      }
      does(connection, id);
      assert.match(await caller.until("\r\n\r\n"), BAD_GATEWAY);
      assert.equal(connection.frames.filter(({ type }) => type === FRAME.headers).length, 1);
      assert.equal(ground.service.connections.length, 1);
    });
  }
});

test("a GET that meets the closing of an idle connection is sent again on a new one", async () => {
  await using ground = await started();
  const { caller, connection } = await ground.served();
  caller.send(GET);
  await connection.request();
  connection.socket.destroy();
  const fresh = await ground.service.accepted();
  answer(fresh, (await fresh.request()).id);
  await caller.until("ok");
});

test("a connection that nobody uses is closed in time, in order and not before", async () => {
  await using ground = await started({ service: { keepAlive: "4s" } });
  const { caller, connection } = await ground.served();
  ground.proxy.pass(3999);
  caller.send(GET);
  answer(connection, (await connection.request()).id);
  await caller.until("ok");
  ground.proxy.pass(4001);
  await connection.next(FRAME.goaway);
  await connection.untilClosed();
  caller.send(GET);
  const fresh = await ground.service.accepted();
  answer(fresh, (await fresh.request()).id);
  await caller.until("ok");
});

test("a request that takes too long is told CANCEL, and a service that is there keeps its connection", async () => {
  await using ground = await started();
  const caller = await ground.asked(GET);
  const connection = await ground.service.accepted();
  const { id } = await connection.request();
  ground.proxy.pass(2100);
  assert.match(await caller.until("upstream-timeout"), /^HTTP\/1.1 504 /);
  await connection.next(FRAME.ping);
  const { streamId, payload } = await connection.next(FRAME.rstStream);
  assert.deepEqual([streamId, payload.readUInt32BE()], [id, H2_ERROR.cancel]);
  await connection.heard();
  caller.send(GET);
  answer(connection, (await connection.request()).id);
  await caller.until("ok");
  ground.proxy.pass(2100);
  assert.equal(connection.closed, false);
});

test("a service that is not there any more loses its connection, and the next goes to a new one", async () => {
  await using ground = await started();
  const { caller, connection } = await ground.served();
  connection.polite = false;
  caller.send(GET);
  await connection.request();
  ground.proxy.pass(2100);
  assert.match(await caller.until("upstream-timeout"), /^HTTP\/1.1 504 /);
  await connection.next(FRAME.ping);
  caller.send(GET);
  const fresh = await ground.service.accepted();
  answer(fresh, (await fresh.request()).id);
  await caller.until("ok");
  ground.proxy.pass(2100);
  await connection.next(FRAME.goaway);
});

test("a caller that goes away resets its stream alone", async () => {
  await using ground = await started();
  const { caller, connection } = await ground.served();
  const gone = await ground.asked(GET);
  const { id } = await connection.request();
  gone.destroy();
  const { streamId, payload } = await connection.next(FRAME.rstStream);
  assert.deepEqual([streamId, payload.readUInt32BE()], [id, H2_ERROR.cancel]);
  caller.send(GET);
  answer(connection, (await connection.request()).id);
  await caller.until("ok");
});

test("a service that does not accept in time is 504, one that speaks something else 502", async (t) => {
  await t.test("no SETTINGS", async () => {
    await using ground = await started({ service: { connectTimeout: "500ms" } });
    const caller = await ground.asked(GET);
    const connection = await ground.service.accepted("silent");
    ground.proxy.pass(600);
    assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 504 /);
    await connection.untilClosed();
    assert.equal((await ground.proxy.outcome(0)).detail, "connecting: not accepted in time");
  });
  await t.test("HTTP/1.1", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () =>
        socket.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await using proxy = await new Loopback({
      service: { endpoints: [`h2c://127.0.0.1:${portOf(server)}`] },
    }).start();
    const caller = await proxy.caller();
    caller.send(POST);
    assert.match(await caller.until("\r\n\r\n"), BAD_GATEWAY);
    const { end, detail } = await proxy.outcome(0);
    assert.equal(end, "upstream-protocol");
    assert.equal(detail, "connecting: an answer in HTTP/1.x where HTTP/2 has to be");
    server.close();
  });
});

test("an endpoint that takes no connection is passed over", async () => {
  await using other = await new RawHttp2Service().listen();
  const nobody = await new RawHttp2Service().listen();
  const dead = nobody.port;
  await nobody[Symbol.asyncDispose]();
  await using ground = await started({
    service: { endpoints: [`h2c://127.0.0.1:${dead}`, `h2c://127.0.0.1:${other.port}`] },
  });
  const caller = await ground.asked(POST);
  const connection = await other.accepted();
  answer(connection, (await connection.request()).id);
  await caller.until("ok");
});

test("a service that ends every connection before it takes a request is 502, and not asked for ever", async () => {
  await using ground = await started({ service: { connections: 1 } });
  const caller = await ground.asked(GET);
  const connection = await ground.service.accepted([[SETTING.maxConcurrentStreams, 0]]);
  connection.goaway(0, H2_ERROR.noError);
  assert.match(await caller.until("\r\n\r\n"), BAD_GATEWAY);
  assert.equal(ground.service.connections.length, 1);
});

test("a pool that is closed lets what is on its connections end, and closes those that are idle", async () => {
  await using ground = await started({ service: { connections: 2 } });
  const first = await ground.asked(GET);
  const busy = await ground.service.accepted(ONE);
  const { id } = await busy.request();
  const second = await ground.asked(GET);
  const idle = await ground.service.accepted(ONE);
  answer(idle, (await idle.request()).id);
  await second.until("ok");
  ground.proxy.upstream.close();
  await idle.untilClosed();
  answer(busy, id);
  await first.until("ok");
  await busy.untilClosed();
});

test("each address of a dns+h2c: name is an endpoint over HTTP/2", async () => {
  await using service = await new RawHttp2Service().listen();
  await using proxy = await new Loopback({
    service: { endpoints: [`dns+h2c://billing.internal.:${service.port}`] },
    upstream: {
      resolver: { resolve: () => Promise.resolve({ addresses: ["127.0.0.1"], ttlSeconds: 60 }) },
    },
  }).start();
  const caller = await proxy.caller();
  caller.send(GET);
  const connection = await service.accepted();
  answer(connection, (await connection.request()).id);
  await caller.until("ok");
  assert.equal((await proxy.outcome(0)).upstream, `127.0.0.1:${service.port}`);
  const { body } = proxy.metrics.render();
  assert.match(body, new RegExp(`endpoint="dns\\+h2c://billing\\.internal\\.:${service.port}"`));
});

test("what a service does to an answer that it has begun is told to a caller over HTTP/2", async (t) => {
  const cases: [code: number, seen: number][] = [
    [H2_ERROR.cancel, H2_ERROR.cancel],
    [H2_ERROR.internalError, H2_ERROR.internalError],
    // About the connection between us and the service, of which the caller has no part.
    [H2_ERROR.flowControlError, H2_ERROR.internalError],
  ];
  for (const [code, seen] of cases) {
    await t.test(`${code}`, async () => {
      await using ground = await started();
      const caller = connectHttp2(`http://127.0.0.1:${ground.proxy.listener.address.port}`);
      const request = caller.request({ ":path": "/" });
      request.on("error", () => {});
      const connection = await ground.service.accepted();
      const { id } = await connection.request();
      connection.headers(id, [":status", "200"]);
      await once(request, "response");
      const closed = new Promise((resolve) => request.once("close", resolve));
      connection.reset(id, code);
      await closed;
      assert.equal(request.rstCode, seen);
      caller.destroy();
    });
  }
});

test("a connection whose stream numbers are used up makes room for another one", async () => {
  await using ground = await pooled({ maxConnections: 1, lastNumber: 3 });
  const numbers: number[] = [];
  ground.service.play = (connection) => {
    connection.settings();
    connection.heardFrame = ({ type, streamId }) => {
      if (type !== FRAME.headers) return;
      numbers.push(streamId);
      answer(connection, streamId);
    };
  };
  for (let asked = 0; asked < 3; asked += 1) await ground.ask();
  assert.deepEqual(numbers, [1, 3, 1]);
  await ground.service.connections[0]?.untilClosed();
});

test("a connection takes 100 requests where the service says nothing, and 1024 whatever it says", async (t) => {
  const cases: [says: (readonly [number, number])[], takes: number][] = [
    [[], 100],
    [[[SETTING.maxConcurrentStreams, 7]], 7],
    [[[SETTING.maxConcurrentStreams, 1_000_000]], 1024],
  ];
  for (const [says, takes] of cases) {
    await t.test(`${takes}`, async () => {
      await using ground = await pooled({ maxConnections: 1 });
      ground.service.play = (connection) => {
        connection.settings(says);
        connection.heardFrame = ({ type, streamId }) => {
          if (type === FRAME.headers) answer(connection, streamId);
        };
      };
      await ground.ask();
      const ways = [];
      for (let way = ground.pool.reuse(); way !== undefined; way = ground.pool.reuse()) {
        ways.push(way);
      }
      assert.equal(ways.length, takes);
      assert.equal(ground.pool.capacity, takes);
      for (const way of ways) way.destroy();
    });
  }
});

test("what is kept in case it is handed back is not kept for retries", async () => {
  const retries = { on: ["reset"], bodyBytes: "4B" };
  await using ground = await started({ service: { retries } });
  const caller = await ground.asked(POST.replace("POST", "PUT"));
  const connection = await ground.service.accepted();
  const { id } = await connection.request();
  await connection.next(FRAME.data);
  connection.reset(id, H2_ERROR.internalError);
  assert.match(await caller.until("\r\n\r\n"), BAD_GATEWAY);
  assert.equal(connection.frames.filter(({ type }) => type === FRAME.headers).length, 1);
});

interface Pooled extends AsyncDisposable {
  readonly pool: Http2ClientPool;
  readonly service: RawHttp2Service;
  /** One GET, and its whole answer. */
  ask(): Promise<void>;
}

/** A pool by itself. */
async function pooled(
  options: Pick<PoolOptions, "maxConnections" | "lastNumber">,
): Promise<Pooled> {
  const service = await new RawHttp2Service().listen();
  const deadlines = new Deadlines(new ManualClock(0));
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const pool = new Http2ClientPool(
    { host: "127.0.0.1", port: service.port, http2: true },
    { idleTimeoutMs: 4000, connectTimeoutMs: 1000, ...options },
    { deadlines, log, openSocket: ({ host, port }) => connect({ host, port }) },
  );
  return {
    pool,
    service,
    ask: () => askOver(pool),
    async [Symbol.asyncDispose]() {
      pool.close();
      await service[Symbol.asyncDispose]();
    },
  };
}

function askOver(pool: Http2ClientPool): Promise<void> {
  return new Promise((resolve, reject) => {
    const ready = pool.reuse();
    const way = ready ?? pool.connect();
    const fields = ["host", "x"];
    const request = { method: "GET", target: "/", fields, websocket: false, received: [] };
    const connected = (): void => {
      way?.begin(request, { bodyKind: "none", contentLength: 0 });
      way?.end(undefined);
    };
    way?.assign({
      connected,
      responseHead() {},
      switched() {},
      responseChunk() {},
      responseIdle() {},
      responseEnd: () => resolve(),
      upstreamDrained() {},
      failed: ({ detail }) => reject(new Error(detail)),
      expired() {},
      defect: reject,
    });
    if (ready !== undefined) connected();
  });
}
