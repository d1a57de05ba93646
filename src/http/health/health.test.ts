/** What happens to endpoints that are not well: judged by where requests go, and by what is counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Loopback,
  type LoopbackOptions,
  ManualService,
  type RawPeer,
} from "../loopback.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const BAD = "HTTP/1.1 500 Bad\r\nContent-Length: 3\r\n\r\nbad";
const ANSWER = /HTTP\/1.1 \d{3} [^]*?\r\n\r\n[^]+$/;

interface Pair {
  readonly proxy: Loopback;
  readonly one: ManualService;
  readonly two: ManualService;
  [Symbol.asyncDispose](): Promise<void>;
}

async function pair(service: LoopbackOptions["service"]): Promise<Pair> {
  const one = new ManualService();
  const two = new ManualService();
  await one.listen();
  await two.listen();
  const options = { endpoints: [one.port, two.port], ...(service && { service }) };
  const proxy = await new Loopback(options).start();
  return {
    proxy,
    one,
    two,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await one[Symbol.asyncDispose]();
      await two[Symbol.asyncDispose]();
    },
  };
}

/** Lets all checks that wait run, and answers each; returns what they asked. */
async function checkAll(
  proxy: Loopback,
  answers: readonly (readonly [ManualService, string])[],
): Promise<string[]> {
  while (proxy.timers.delays.length < answers.length) await proxy.changed();
  proxy.timers.runAll();
  const requests: string[] = [];
  for (const [service, answer] of answers) {
    const connection = await service.accepted();
    requests.push(await connection.until("\r\n\r\n"));
    connection.send(answer);
    await connection.untilEnd();
  }
  while (proxy.timers.delays.length < answers.length) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  return requests;
}

/** One request of a new caller; returns the connection that it came on. */
async function asked(proxy: Loopback, service: ManualService): Promise<[RawPeer, RawPeer]> {
  const caller = await proxy.caller();
  caller.send(GET);
  const connection = await service.accepted();
  await connection.until("\r\n\r\n");
  return [caller, connection];
}

function metric(proxy: Loopback, series: string): string {
  const line = proxy.metrics
    .render()
    .body.split("\n")
    .find((one) => one.startsWith(`${series} `));
  return line?.slice(series.length + 1) ?? "";
}

test("an endpoint that fails its checks gets no request until it passes again", async () => {
  await using stage = await pair({
    health: { path: "/healthz?deep", host: "b.example", interval: "5s", healthy: 2, unhealthy: 2 },
  });
  const { proxy, one, two } = stage;
  const [first] = await checkAll(proxy, [
    [one, OK],
    [two, OK],
  ]);
  assert.equal(
    first,
    "GET /healthz?deep HTTP/1.1\r\nhost: b.example\r\nuser-agent: sallyport-health\r\nconnection: close\r\n\r\n",
  );
  // One failure is not enough, two are.
  for (const _ of [1, 2]) {
    await checkAll(proxy, [
      [one, BAD],
      [two, OK],
    ]);
  }
  assert.deepEqual(proxy.logged, ["an endpoint is unhealthy"]);
  assert.equal(
    metric(proxy, 'sallyport_upstream_endpoints{service="test",state="unhealthy"}'),
    "1",
  );
  for (const _ of [1, 2, 3]) {
    const [caller, connection] = await asked(proxy, two);
    connection.send(OK.replace("OK", "OK\r\nConnection: close"));
    await caller.until("ok");
  }
  for (const _ of [1, 2]) {
    await checkAll(proxy, [
      [one, OK],
      [two, OK],
    ]);
  }
  assert.deepEqual(proxy.logged.slice(1), ["an endpoint is healthy again"]);
  await asked(proxy, one);
});

test("a check that gets no connection, no answer or garbage fails", async (t) => {
  for (const how of ["closed", "silent", "garbage"] as const) {
    await t.test(how, async () => {
      await using proxy = await new Loopback({
        service: { health: { path: "/", unhealthy: 1, timeout: "1s" }, panic: 0 },
      }).start();
      proxy.timers.runAll();
      const connection = await proxy.service.accepted();
      await connection.until("\r\n\r\n");
      if (how === "closed") connection.destroy();
      else if (how === "garbage") connection.send("SSH-2.0\r\n\r\n");
      else proxy.pass(1001);
      await connection.untilEnd();
      while (proxy.timers.delays.length === 0) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      // The first check of an endpoint counts by itself.
      const caller = await proxy.caller();
      caller.send(GET);
      assert.match(await caller.until(ANSWER), /^HTTP\/1.1 503 [^]*no-endpoint$/);
      assert.equal((await proxy.outcome(0)).end, "no-endpoint");
    });
  }
});

test("where too few are in order all are used, and that is said", async () => {
  await using stage = await pair({ health: { path: "/", unhealthy: 1 }, panic: 50 });
  const { proxy, one, two } = stage;
  await checkAll(proxy, [
    [one, BAD],
    [two, BAD],
  ]);
  assert.ok(proxy.logged.includes("too few endpoints are in order; all are used"));
  assert.equal(metric(proxy, 'sallyport_upstream_panic{service="test"}'), "1");
  await asked(proxy, one);
  await asked(proxy, two);
  for (const _ of [1, 2]) {
    await checkAll(proxy, [
      [one, OK],
      [two, BAD],
    ]);
  }
  // One of two is not below half.
  assert.ok(proxy.logged.includes("enough endpoints are in order again"));
  assert.equal(metric(proxy, 'sallyport_upstream_panic{service="test"}'), "0");
  await asked(proxy, one);
  await asked(proxy, one);
});

test("an endpoint that fails one request after the other is out for a time that grows", async () => {
  await using stage = await pair({ outliers: { consecutive: 2, ejection: "10s" } });
  const { proxy, one, two } = stage;
  const failTwice = async (): Promise<void> => {
    for (const _ of [1, 2]) {
      const [bad, failing] = await asked(proxy, one);
      failing.send(BAD.replace("Bad", "Bad\r\nConnection: close"));
      await bad.until("bad");
      const [good, well] = await asked(proxy, two);
      well.send(OK.replace("OK", "OK\r\nConnection: close"));
      await good.until("ok");
    }
  };
  await failTwice();
  assert.deepEqual(proxy.timers.delays, [10_000]);
  assert.equal(metric(proxy, 'sallyport_upstream_endpoints{service="test",state="ejected"}'), "1");
  for (const _ of [1, 2, 3]) {
    const [caller, connection] = await asked(proxy, two);
    connection.send(OK.replace("OK", "OK\r\nConnection: close"));
    await caller.until("ok");
  }
  // With the tick: one of its own accord would find the requests after this ten seconds old.
  proxy.pass(10_000);
  proxy.timers.runAll();
  assert.deepEqual(proxy.logged, [
    "an endpoint failed too often and is put out",
    "an endpoint that was put out is back",
  ]);
  // The turn is the second one's.
  const [caller, connection] = await asked(proxy, two);
  connection.send(OK.replace("OK", "OK\r\nConnection: close"));
  await caller.until("ok");
  await failTwice();
  assert.deepEqual(proxy.timers.delays, [20_000]);
});

test("an answer in between starts the count anew, and a status that is not listed is an answer", async () => {
  await using proxy = await new Loopback({
    service: { outliers: { consecutive: 2, statuses: [500], maxEjected: 100 }, panic: 0 },
  }).start();
  const caller = await proxy.caller();
  caller.send(GET);
  const connection = await proxy.service.accepted();
  for (const answer of [BAD, OK, BAD, BAD.replace("500", "503"), BAD]) {
    await connection.until("\r\n\r\n");
    connection.send(answer);
    await caller.until(/\r\n\r\n(ok|bad)/);
    caller.send(GET);
  }
  await connection.until("\r\n\r\n");
  connection.send(BAD);
  await caller.until("bad");
  caller.send(GET);
  assert.match(await caller.until(ANSWER), /^HTTP\/1.1 503 [^]*no-endpoint$/);
});

test("no more are put out than may be, so of two the second stays", async () => {
  await using stage = await pair({ outliers: { consecutive: 1 } });
  const { proxy, one, two } = stage;
  for (const service of [one, two, two, two]) {
    const [caller, connection] = await asked(proxy, service);
    connection.socket.resetAndDestroy();
    assert.match(await caller.until(ANSWER), /^HTTP\/1.1 502 /);
  }
  assert.equal(metric(proxy, 'sallyport_upstream_endpoints{service="test",state="ejected"}'), "1");
  assert.equal(
    metric(
      proxy,
      `sallyport_upstream_failures_total{service="test",endpoint="127.0.0.1:${two.port}",kind="reset"}`,
    ),
    "3",
  );
});

test("what a caller does wrong speaks against no endpoint", async () => {
  await using proxy = await new Loopback({
    service: { outliers: { consecutive: 1, maxEjected: 100 }, panic: 0 },
    limits: { bodyTimeout: "1s" },
  }).start();
  const caller = await proxy.caller();
  caller.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  await (await proxy.service.accepted()).until("abc");
  proxy.pass(1101);
  assert.match(await caller.untilEnd(), /^HTTP\/1.1 408 /);
  const gone = await proxy.caller();
  gone.send(GET);
  await (await proxy.service.accepted()).until("\r\n\r\n");
  gone.destroy();
  assert.equal((await proxy.outcome(1)).end, "caller-gone");
  assert.equal(metric(proxy, 'sallyport_upstream_endpoints{service="test",state="ready"}'), "1");
});

test("close() calls off checks and returns", async () => {
  await using stage = await pair({ health: { path: "/" }, outliers: { consecutive: 1 } });
  const { proxy, one } = stage;
  proxy.timers.runAll();
  const check = await one.accepted();
  await check.until("\r\n\r\n");
  proxy.upstream.close();
  await check.untilEnd();
  assert.deepEqual(proxy.timers.delays, []);
});
