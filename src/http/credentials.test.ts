/** Credentials of ours on what is sent: made anew each time, and asked about when the service refuses them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reason } from "../model/reason.ts";
import type { SentCredentials } from "./exchange.ts";
import { Loopback } from "./loopback.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const POST = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const REFUSED = "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\nContent-Length: 7\r\n\r\nrefused";

/** Numbers what it says; has `others` further credentials. */
class Numbered implements SentCredentials {
  made = 0;
  refusals = 0;
  readonly #others: number;
  readonly #outcome: Promise<Reason | undefined>;

  constructor(others: number, outcome: Promise<Reason | undefined> = Promise.resolve(undefined)) {
    this.#others = others;
    this.#outcome = outcome;
  }

  fields(): string[] {
    this.made += 1;
    return ["authorization", `Bearer number-${this.made}`];
  }

  refused(): Promise<Reason | undefined> | undefined {
    this.refusals += 1;
    return this.refusals > this.#others ? undefined : this.#outcome;
  }
}

function started(credentials: SentCredentials, service?: Record<string, unknown>) {
  return new Loopback({ request: { credentials }, ...(service && { service }) }).start();
}

for (const [name, request, tail] of [
  ["GET", GET, "\r\n\r\n"],
  ["POST", POST, "hello"],
] as const) {
  test(`${name} that the service answered 401 is sent once more, with its body and other credentials`, async () => {
    const credentials = new Numbered(1);
    await using proxy = await started(credentials);
    const caller = await proxy.caller();
    caller.send(request);
    const service = await proxy.service.accepted();
    assert.match(await service.until(tail), /authorization: Bearer number-1\r\n/);
    service.send(REFUSED);
    assert.match(await service.until(tail), /authorization: Bearer number-2\r\n/);
    service.send(OK);
    assert.match(await caller.until("ok"), /^HTTP\/1.1 200 /);
    assert.doesNotMatch(caller.text, /401/);
    const { status, end } = await proxy.outcome(0);
    assert.deepEqual([status, end, credentials.refusals], [200, "complete", 1]);
  });
}

test("401 to all credentials that there are is the answer, and the request went out no more often", async () => {
  const credentials = new Numbered(1);
  await using proxy = await started(credentials);
  const caller = await proxy.caller();
  caller.send(GET);
  const service = await proxy.service.accepted();
  for (let time = 0; time < 2; time++) {
    await service.until("\r\n\r\n");
    service.send(REFUSED);
  }
  assert.match(await caller.until("refused"), /^HTTP\/1.1 401 /);
  assert.deepEqual([credentials.made, credentials.refusals], [2, 2]);
});

test("a body that is too large to be kept is not sent again: 401 is the answer", async () => {
  const credentials = new Numbered(1);
  await using proxy = await started(credentials);
  const caller = await proxy.caller();
  const body = "x".repeat(65 * 1024);
  caller.send(`POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const service = await proxy.service.accepted();
  await service.until(body);
  service.send(REFUSED);
  assert.match(await caller.until("refused"), /^HTTP\/1.1 401 /);
  assert.equal(credentials.refusals, 0);
});

test("where there are no others to be had the caller is told so, and the service's answer is let go", async () => {
  await using proxy = await started(new Numbered(1, Promise.resolve("internal-error" as const)));
  const caller = await proxy.caller();
  caller.send(GET);
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  service.send(REFUSED);
  assert.match(await caller.until("internal-error"), /^HTTP\/1.1 500 /);
  assert.equal((await proxy.outcome(0)).end, "internal-error");
});

test("others that do not come are waited for no longer than the whole exchange may take", async () => {
  await using proxy = await started(new Numbered(1, new Promise(() => {})));
  const caller = await proxy.caller();
  caller.send(GET);
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  service.send(REFUSED);
  while (proxy.timers.delays.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(proxy.timers.delays, [10_000]);
  proxy.timers.runAll();
  assert.match(await caller.until("upstream-timeout"), /^HTTP\/1.1 504 /);
});

test("a caller that goes while others are fetched is not sent for", async () => {
  const ready = Promise.withResolvers<undefined>();
  const credentials = new Numbered(1, ready.promise);
  await using proxy = await started(credentials);
  const caller = await proxy.caller();
  caller.send(GET);
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  service.send(REFUSED);
  while (proxy.timers.delays.length === 0) await new Promise((resolve) => setImmediate(resolve));
  caller.destroy();
  assert.equal((await proxy.outcome(0)).end, "caller-gone");
  ready.resolve(undefined);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([credentials.made, proxy.timers.delays.length], [1, 0]);
});

test("a request that is sent again for another reason has credentials of its own", async () => {
  const credentials = new Numbered(0);
  await using proxy = await started(credentials, { retries: { on: ["reset"] } });
  const caller = await proxy.caller();
  caller.send(GET);
  const first = await proxy.service.accepted();
  await first.until("number-1\r\n");
  first.socket.resetAndDestroy();
  while (proxy.timers.delays.length === 0) await new Promise((resolve) => setImmediate(resolve));
  proxy.timers.runAll();
  const second = await proxy.service.accepted();
  await second.until("number-2\r\n");
  second.send(OK);
  await caller.until("ok");
});
