/**
 * The foreign HTTP/1.1 corpora through the engine on real sockets: a raw client, the engine as a
 * bare pass-through, and a service that keeps the bytes it got.
 *
 * Whatever the case: the service gets exactly the requests that the strict parser reads in it, whole
 * and in order, never an ambiguous byte; the caller gets one answer for each and a refusal for the
 * rest; and the next good request gets its own answer. Of a rogue service's bytes the caller gets
 * one sound answer or a 502, never two.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import type { Exchange } from "../../src/http/exchange.ts";
import { Loopback, type RawPeer } from "../../src/http/loopback.fixture.ts";
import { getField } from "../../src/wire/fields.ts";
import { readRequests, readResponse } from "./http1-stream.ts";
import { corpusRequests, corpusResponses } from "./http1-verdicts.ts";

const requests = corpusRequests();
const responses = corpusResponses();
const skip = requests === undefined ? "the HTTP/1.1 corpora are absent" : false;
const GOOD = "GET /sentinel HTTP/1.1\r\nHost: x\r\n\r\n";

test("the corpora are there", { skip }, () => {
  assert.ok((requests?.length ?? 0) + (responses?.length ?? 0) > 380);
});

for (const { id, mended } of requests ?? []) {
  test(`engine: ${id}`, async () => {
    await using proxy = await new Loopback({ handle: passThrough }).start();
    const answered = answerAll(proxy);
    const read = readRequests(mended);
    const caller = await proxy.caller();
    caller.socket.write(mended);
    while (proxy.outcomes.length < read.requests.length && !caller.closed) await proxy.changed();
    if (typeof read.end === "object" || read.end === "closed") await caller.untilEnd();
    else await roundTrip(proxy);
    if (typeof read.end === "object") assertRefused(caller, read.requests.length);
    caller.destroy();
    await roundTrip(proxy);
    const got = proxy.service.connections.flatMap((connection) => soundRequests(connection));
    assert.deepEqual(
      got.filter(({ target }) => target !== "/sentinel"),
      read.requests.map(({ head, body }) => ({
        method: head.method,
        target: originForm(head.target),
        body,
      })),
    );
    answered();
  });
}

for (const { id, mended } of responses ?? []) {
  test(`engine: ${id}`, async () => {
    await using proxy = await new Loopback({ handle: passThrough }).start();
    const caller = await proxy.caller();
    caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const service = await proxy.service.accepted();
    await service.until("\r\n\r\n");
    service.socket.end(mended);
    const { status, end } = await proxy.outcome(0);
    const theirs = readResponse(mended);
    if (end !== "complete" && status !== 502) await caller.untilEnd();
    else await caller.until("\r\n\r\n");
    // What ends a message may arrive behind its beginning.
    const whole = (): boolean =>
      readResponse(Buffer.from(caller.text, "latin1")).end === "complete";
    while (!caller.ended && !whole()) await new Promise(setImmediate);
    if (end === "complete") assert.equal(status, theirs.head?.status);
    // One answer: what follows its own end would be read as the next one.
    const ours = readResponse(Buffer.from(caller.text, "latin1"));
    if (end === "complete") assert.equal(ours.body, theirs.body);
    assert.ok(ours.end === "complete" || caller.ended, JSON.stringify(caller.text));
    if (caller.ended) return;
    const answered = answerAll(proxy);
    caller.send(GOOD);
    assert.match(await caller.until("sentinel"), /HTTP\/1.1 200 [^]*sentinel$/);
    answered();
  });
}

function passThrough(exchange: Exchange, proxy: Loopback): void {
  const request = proxy.upstreamRequest(exchange);
  const fields =
    getField(request.fields, "host") === undefined
      ? [...request.fields, "host", "x"]
      : request.fields;
  const target = originForm(request.target);
  proxy.upstream.forward(exchange, { ...request, target, fields }, proxy.observer());
}

function originForm(target: string): string {
  return target.startsWith("/") ? target : "/";
}

/** Answers each request on each connection of the service with its target. Returns how to stop. */
function answerAll(proxy: Loopback): () => void {
  let running = true;
  const serve = async (): Promise<void> => {
    for (;;) {
      const connection = await proxy.service.accepted();
      let answered = 0;
      connection.socket.on("data", () => {
        if (!running) return;
        const { requests: read } = readRequests(Buffer.from(connection.text, "latin1"));
        for (const { head } of read.slice(answered)) {
          const body = head.method === "HEAD" ? "" : head.target;
          connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        }
        answered = read.length;
      });
    }
  };
  void serve();
  return () => {
    running = false;
  };
}

async function roundTrip(proxy: Loopback): Promise<void> {
  const caller = await proxy.caller();
  caller.send(GOOD);
  assert.match(await caller.until("sentinel"), /^HTTP\/1.1 200 [^]*sentinel$/);
  caller.destroy();
}

/** The last answer is a refusal, after which the connection closed. */
function assertRefused(caller: RawPeer, before: number): void {
  const statuses = [...caller.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1]);
  assert.ok(caller.ended);
  assert.equal(statuses.length, before + 1);
  assert.match(statuses.at(-1) ?? "", /^(?:400|405|413|414|417|431|501|505)$/);
}

/** What the service got, which must be unambiguous to the last byte. */
function soundRequests(connection: RawPeer): { method: string; target: string; body: string }[] {
  const read = readRequests(Buffer.from(connection.text, "latin1"));
  assert.notEqual(typeof read.end, "object", JSON.stringify(connection.text));
  for (const { head } of read.requests) {
    const names = head.fields.filter((_, index) => index % 2 === 0);
    assert.equal(names.filter((name) => name === "host").length, 1);
    assert.ok(!(names.includes("content-length") && names.includes("transfer-encoding")));
    for (const text of head.fields) assert.doesNotMatch(text, /[\r\n\0]/);
  }
  return read.requests.map(({ head, body }) => ({
    method: head.method,
    target: head.target,
    body,
  }));
}
