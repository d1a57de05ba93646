/** Endpoints that a name stands for: they come and go with it, and no request falls between. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connectTcp } from "./sockets.ts";
import { Loopback, ManualService } from "./loopback.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ANSWER = /HTTP\/1.1 \d{3} [^]*?\r\n\r\n[^]+$/;

/** What the name resolves to next; undefined: it cannot be resolved. */
class Names {
  answer: { readonly addresses: readonly string[]; readonly ttlSeconds?: number } | undefined;
  readonly asked: string[] = [];

  async resolve(
    name: string,
  ): Promise<{ addresses: readonly string[]; ttlSeconds: number | undefined }> {
    this.asked.push(name);
    if (this.answer === undefined) throw new Error("no answer");
    return { ttlSeconds: undefined, ...this.answer };
  }
}

/** A proxy whose one endpoint is a name; `10.0.0.N` is the service number N. */
async function named(
  names: Names,
  services: readonly ManualService[],
  url = "dns://billing.internal.:9001",
): Promise<Loopback> {
  for (const service of services) await service.listen();
  return new Loopback({
    service: { endpoints: [url] },
    upstream: {
      resolver: names,
      openSocket: ({ host }) => {
        const service = services[Number(host.split(".")[3]) - 1];
        return connectTcp({ host: "127.0.0.1", port: service?.port ?? 1 });
      },
    },
  }).start();
}

async function again(proxy: Loopback, names: Names): Promise<void> {
  const before = names.asked.length;
  proxy.timers.runAll();
  while (names.asked.length === before || proxy.timers.delays.length === 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("endpoints come and go with the name, and what is in flight ends in its own time", async () => {
  await using one = new ManualService();
  await using two = new ManualService();
  const names = new Names();
  names.answer = { addresses: ["10.0.0.1"], ttlSeconds: 30 };
  await using proxy = await named(names, [one, two]);
  assert.deepEqual(names.asked, ["billing.internal."]);
  assert.deepEqual(proxy.timers.delays, [30_000]);
  const caller = await proxy.caller();
  caller.send(GET);
  const busy = await one.accepted();
  await busy.until("\r\n\r\n");
  names.answer = { addresses: ["10.0.0.2"], ttlSeconds: 30 };
  await again(proxy, names);
  const next = await proxy.caller();
  next.send(GET);
  const fresh = await two.accepted();
  await fresh.until("\r\n\r\n");
  busy.send(OK);
  await caller.until("ok");
  // Its connection is not kept: nobody would use it.
  await busy.untilEnd();
  const { body } = proxy.metrics.render();
  assert.match(body, /sallyport_upstream_requests{service="test",endpoint="10.0.0.2:9001"} 1\n/);
  assert.doesNotMatch(body, /10\.0\.0\.1/);
});

test("a name that cannot be resolved keeps what it stood for, and is asked for again", async () => {
  await using one = new ManualService();
  const names = new Names();
  names.answer = { addresses: ["10.0.0.1"], ttlSeconds: 1000 };
  await using proxy = await named(names, [one]);
  assert.deepEqual(proxy.timers.delays, [300_000]);
  for (const answer of [undefined, { addresses: [] }, undefined]) {
    names.answer = answer;
    await again(proxy, names);
    assert.deepEqual(proxy.timers.delays, [5000]);
  }
  const caller = await proxy.caller();
  caller.send(GET);
  await (await one.accepted()).until("\r\n\r\n");
  assert.deepEqual(proxy.logged, [
    "a name has other addresses",
    "a name cannot be resolved; what it stood for is kept",
  ]);
  names.answer = { addresses: ["10.0.0.1"], ttlSeconds: 0 };
  await again(proxy, names);
  assert.deepEqual(proxy.timers.delays, [1000]);
  assert.equal(proxy.logged.length, 2);
});

test("a name that was never resolved is a 503, until it is", async () => {
  await using one = new ManualService();
  const names = new Names();
  await using proxy = await named(names, [one], "dns://billing:9001");
  assert.deepEqual(names.asked, ["billing"]);
  const caller = await proxy.caller();
  caller.send(GET);
  assert.match(await caller.until(ANSWER), /^HTTP\/1.1 503 [^]*no-endpoint$/);
  names.answer = { addresses: ["10.0.0.1"] };
  await again(proxy, names);
  assert.deepEqual(proxy.timers.delays, [5000]);
  caller.send(GET);
  await (await one.accepted()).until("\r\n\r\n");
});

test("close() asks no more", async () => {
  const names = new Names();
  names.answer = { addresses: ["10.0.0.1"] };
  await using proxy = await named(names, []);
  proxy.upstream.close();
  assert.deepEqual(proxy.timers.delays, []);
});
