/** What bounds an exchange by the caller's own word, and how an answer ends that cannot be finished. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Exchange, UpstreamRequest } from "./exchange.ts";
import { Loopback, type RawPeer } from "./loopback.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const BEGUN = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
const ANNOUNCED = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";

/** A proxy whose observer ends what is cut short with a trailer that names the reason. */
function started(request: Partial<UpstreamRequest> = {}): Promise<Loopback> {
  return new Loopback({
    handle: (exchange: Exchange, loopback: Loopback) => {
      const observer = {
        ...loopback.observer(),
        cutShort: (reason: string) => ["x-ended", reason],
      };
      const sent = { ...loopback.upstreamRequest(exchange), ...request };
      loopback.forwarded.push(loopback.upstream.forward(exchange, sent, observer));
    },
  }).start();
}

/** A caller that has the beginning of its answer, and the service's end. */
async function begun(
  proxy: Loopback,
  answer: string,
): Promise<{ readonly caller: RawPeer; readonly service: RawPeer }> {
  const caller = await proxy.caller();
  caller.send(GET);
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  service.send(answer);
  await caller.until("abc");
  return { caller, service };
}

test("a service that breaks off within its answer: the caller gets trailers that say so", async () => {
  await using proxy = await started();
  const { caller, service } = await begun(proxy, BEGUN);
  service.destroy();
  await caller.until("0\r\nx-ended: upstream-protocol\r\n\r\n");
  assert.equal((await proxy.outcome(0)).end, "upstream-protocol");
});

test("an answer of announced length is cut off: nothing else would be seen as too short", async () => {
  await using proxy = await started();
  const { caller, service } = await begun(proxy, ANNOUNCED);
  service.destroy();
  assert.equal(await caller.untilEnd(), "");
});

test("cancel() ends an answer that has begun with trailers", async () => {
  await using proxy = await started();
  const { caller, service } = await begun(proxy, BEGUN);
  proxy.forwarded[0]?.cancel("token-expired", "decided again");
  await caller.until("0\r\nx-ended: token-expired\r\n\r\n");
  await service.untilEnd();
});

test("deadlineMs ends what waits for a head, before the route's own times do", async () => {
  await using proxy = await started({ deadlineMs: 500 });
  const caller = await proxy.caller();
  caller.send(GET);
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  proxy.pass(499);
  assert.equal(proxy.outcomes.length, 0);
  proxy.pass(2);
  assert.match(await caller.until("deadline-exceeded"), /^HTTP\/1.1 504 /);
  await service.untilEnd();
  assert.equal((await proxy.outcome(0)).end, "deadline-exceeded");
});

test("a service that gives up at the deadline by itself is not taken for one that failed", async () => {
  await using proxy = await started({ deadlineMs: 500 });
  const { caller, service } = await begun(proxy, BEGUN);
  proxy.clock.advance(501);
  service.socket.resetAndDestroy();
  await caller.until("0\r\nx-ended: deadline-exceeded\r\n\r\n");
  assert.equal((await proxy.outcome(0)).end, "deadline-exceeded");
});

test("deadlineMs ends an answer that streams, whatever its lifetime is", async () => {
  await using proxy = await started({ deadlineMs: 500, lifetimeMs: Number.POSITIVE_INFINITY });
  const { caller, service } = await begun(proxy, BEGUN);
  proxy.pass(501);
  await caller.until("0\r\nx-ended: deadline-exceeded\r\n\r\n");
  await service.untilEnd();
});

test("a route's own time that is shorter than deadlineMs stays in force", async () => {
  await using proxy = await started({ deadlineMs: 60_000, totalTimeoutMs: 500 });
  const { caller } = await begun(proxy, BEGUN);
  proxy.pass(501);
  await caller.until("x-ended: upstream-timeout");
  await using long = await started({ deadlineMs: 60_000, lifetimeMs: 500 });
  const stream = await begun(long, BEGUN);
  long.pass(501);
  await stream.caller.until("x-ended: stream-lifetime");
});

test("deadlineMs bounds the wait for an endpoint with room", async () => {
  await using proxy = await new Loopback({
    request: { deadlineMs: 500 },
    service: { breaker: { requests: 1, queue: 1, queueTimeout: "10s" } },
  }).start();
  const first = await proxy.caller();
  first.send(GET);
  await (await proxy.service.accepted()).until("\r\n\r\n");
  const second = await proxy.caller();
  second.send(GET);
  while (proxy.exchanges.length < 2) await proxy.changed();
  assert.deepEqual(proxy.timers.delays, [500]);
  proxy.clock.advance(500);
  proxy.timers.runAll();
  await second.until("deadline-exceeded");
});
