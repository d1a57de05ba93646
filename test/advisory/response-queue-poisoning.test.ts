/**
 * A service (or somebody who has it answer one request twice) sends an answer too many. The proxy
 * keeps its connection to the service; if the surplus is taken for the answer to the next request,
 * somebody else gets an answer that the attacker wrote, and everybody behind gets the one before.
 *
 * Bytes on a connection that has no request in flight close it. That has a gap which most proxies
 * leave: the surplus may already be there, unread, while the next request is given to the connection.
 * What arrives before a byte of that request has gone out is no answer to it either.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { MemoryProxy, settled } from "../conformance/memory-proxy.ts";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
const answer = (body: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** The victim's request gets its own answer, from a connection that was not poisoned. */
async function assertOwnAnswer(proxy: MemoryProxy, whenTaken?: () => void): Promise<void> {
  const victim = proxy.caller();
  victim.feed(get("/victim"));
  whenTaken?.();
  await settled();
  assert.equal(proxy.opened.length, 2, "the poisoned connection is used again");
  assert.ok(proxy.opened[0]?.destroyed);
  assert.match(proxy.service.text, /^GET \/victim /);
  proxy.service.feed(answer("mine"));
  await settled();
  assert.match(victim.text, /^HTTP\/1\.1 200 [^]*mine$/);
  assert.doesNotMatch(victim.text, /evil/);
  assert.deepEqual(proxy.defects, []);
}

/** A connection to the service that has carried one exchange and is idle. */
async function used(proxy: MemoryProxy): Promise<void> {
  proxy.caller().feed(get("/first"));
  await settled();
  proxy.service.feed(answer("first"));
  await settled();
  assert.equal(proxy.outcomes[0]?.end, "complete");
}

test("a second answer in one piece with the first is a 502 for the first alone", async () => {
  using proxy = new MemoryProxy();
  const attacker = proxy.caller();
  attacker.feed(get("/attack"));
  await settled();
  proxy.service.feed(answer("first") + answer("evil"));
  await settled();
  assert.match(attacker.text, /^HTTP\/1\.1 502 /);
  assert.doesNotMatch(attacker.text, /evil/);
  await assertOwnAnswer(proxy);
});

for (const surplus of [answer("evil"), "HTTP/1.1 100 Continue\r\n\r\n", "\r\n", "H"]) {
  test(`bytes on an idle connection close it: ${JSON.stringify(surplus)}`, async () => {
    using proxy = new MemoryProxy();
    await used(proxy);
    proxy.service.feed(surplus);
    await settled();
    await assertOwnAnswer(proxy);
  });

  test(`bytes that were there before the request went out are not its answer: ${JSON.stringify(surplus)}`, async () => {
    using proxy = new MemoryProxy();
    await used(proxy);
    const poisoned = proxy.service;
    // In the same turn: the request has the connection, and has not been written yet.
    await assertOwnAnswer(proxy, () => poisoned.feed(surplus));
    assert.doesNotMatch(poisoned.text, /victim/);
  });
}

test("what a service says before it was asked is not the answer to the first request", async () => {
  using proxy = new MemoryProxy();
  const caller = proxy.caller();
  caller.feed(get("/first"));
  const { service } = proxy;
  service.once("connect", () => service.feed(answer("evil")));
  await settled();
  assert.match(caller.text, /^HTTP\/1\.1 502 /);
  assert.doesNotMatch(caller.text, /evil/);
});
