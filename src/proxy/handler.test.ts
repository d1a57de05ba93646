import assert from "node:assert/strict";
import { test } from "node:test";
import type { Permit } from "../gate/decision.ts";
import { Loopback } from "../http/loopback.fixture.ts";
import { createProxyHandler, type HandlerDeps, type ProxySnapshot } from "./handler.ts";

/** A handler whose gate permits a route that cannot be forwarded: answering it throws. */
function brokenHandler(decide: (permit: Permit) => Permit | Promise<Permit>, logged: string[]) {
  const permit = { route: { name: "lost" } } as Permit;
  const deps = {
    gate: { decide: () => decide(permit) },
    log: { error: (event: string) => logged.push(event) },
    snapshot: () => ({ forwards: new Map() }) as unknown as ProxySnapshot,
  } as unknown as HandlerDeps;
  return createProxyHandler(deps);
}

test("an answer that fails after a decision that waited is a 500, and does not end the process", async () => {
  const logged: string[] = [];
  const handler = brokenHandler((permit) => Promise.resolve(permit), logged);
  await using proxy = await new Loopback({
    handle: (exchange) => handler.request(exchange),
  }).start();
  const caller = await proxy.caller();
  caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1\.1 500 /);
  await caller.untilEnd();
  assert.deepEqual(logged, ["a request could not be answered"]);
});

test("an answer that fails after it was begun is cut short", async () => {
  const handler = brokenHandler((permit) => Promise.resolve(permit), []);
  await using proxy = await new Loopback({
    handle: (exchange) => {
      handler.request(exchange);
      const body = { bodyKind: "length", contentLength: 10 } as const;
      exchange.stream.begin(200, [], body);
      exchange.stream.flush();
    },
  }).start();
  const caller = await proxy.caller();
  caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await caller.untilEnd();
  assert.doesNotMatch(caller.text, /500/);
});

test("a place in flight is given back when the caller has gone before the decision", async () => {
  const decided = Promise.withResolvers<Permit>();
  let released = 0;
  const deps = {
    gate: { decide: () => decided.promise },
    log: { error: () => undefined },
    snapshot: () => ({ forwards: new Map() }) as unknown as ProxySnapshot,
  } as unknown as HandlerDeps;
  const handler = createProxyHandler(deps);
  const gone = Promise.withResolvers<void>();
  await using proxy = await new Loopback({
    handle: (exchange) => {
      handler.request(exchange);
      exchange.whenOver = () => gone.resolve();
    },
  }).start();
  const caller = await proxy.caller();
  caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  caller.socket.resetAndDestroy();
  await gone.promise;
  const admission = { release: () => (released += 1), fields: [] };
  decided.resolve({ route: { name: "lost" }, admission } as unknown as Permit);
  await decided.promise;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(released, 1);
});

test("a redirect and a request that was not sent are counted as what they are", async () => {
  const counted: unknown[] = [];
  const permit = { route: { name: "moved" }, decisionId: "d" } as unknown as Permit;
  const places: (string | undefined)[] = ["https://new.example/", undefined];
  const route = {
    redirect: { status: 308, location: () => places.shift() },
    responseFields: (fields: readonly string[]) => [...fields],
    caching: [],
  };
  const deps = {
    gate: { decide: () => permit },
    log: { debug: () => undefined },
    clock: { now: () => 0, monotonic: () => 0 },
    audit: { completion: () => undefined },
    completed: (name: string, outcome: { readonly status: number; readonly end: string }) =>
      counted.push([name, outcome.status, outcome.end]),
    snapshot: () => ({ forwards: new Map([[permit.route, route]]) }) as unknown as ProxySnapshot,
  } as unknown as HandlerDeps;
  const handler = createProxyHandler(deps);
  await using proxy = await new Loopback({
    handle: (exchange) => handler.request(exchange),
  }).start();
  const caller = await proxy.caller();
  for (const status of ["308", "400"]) {
    caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await caller.until(`HTTP/1.1 ${status} `);
  }
  assert.deepEqual(counted, [
    ["moved", 308, "complete"],
    ["moved", 400, "ambiguous-path"],
  ]);
});
