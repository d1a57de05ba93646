import assert from "node:assert/strict";
import { test } from "node:test";
import type { BodyFault, HeldBody, RequestHead } from "../model/http.ts";
import type { BodyReader, Exchange } from "./exchange.ts";
import { HeldBytes } from "./held-bytes.ts";
import { holdBody, HeldExchange } from "./held-exchange.ts";

/** An exchange of which only the request body matters, and who reads it. */
function ground({ gone = false, total = 10_000, maxBytes = 5000 } = {}) {
  let reader: BodyReader | undefined;
  const stream = {
    attach: (one: BodyReader) => void (reader = one),
    read: () => undefined,
    begin: () => undefined,
  };
  const head = { method: "POST", bodyKind: "chunked", contentLength: 0 } as RequestHead;
  const exchange = { stream, head, gone, whenOver: undefined } as unknown as Exchange;
  const room = new HeldBytes(total);
  const held = holdBody(exchange, { maxBytes, room });
  return { exchange, room, held, caller: reader as unknown as BodyReader };
}

function asHeld(held: HeldBody | BodyFault): HeldExchange {
  assert.ok(held instanceof HeldExchange);
  return held;
}

/** A reader that notes what it hears. */
function listener(heard: string[]): BodyReader {
  return {
    bodyChunk: (bytes) => void heard.push(`chunk ${bytes.toString()}`),
    bodyIdle: () => void heard.push("idle"),
    bodyEnd: (trailers) => void heard.push(`end ${String(trailers)}`),
    bodyFault: (reason) => void heard.push(`fault ${reason}`),
    drained: () => void heard.push("drained"),
    callerGone: () => void heard.push("gone"),
  };
}

test("holdBody() gives what came, and forwards exactly that, with its length", async () => {
  const { caller, held } = ground();
  caller.bodyChunk(Buffer.from("be"));
  caller.bodyChunk(Buffer.from("gun"));
  caller.bodyEnd(["x-trailer", "1"]);
  const exchange = asHeld(await held);
  assert.equal(exchange.bytes.toString(), "begun");
  assert.deepEqual([exchange.head.bodyKind, exchange.head.contentLength], ["length", 5]);
  const heard: string[] = [];
  exchange.attach(listener(heard));
  assert.equal(exchange.bodyDone, false);
  exchange.read(5);
  assert.equal(exchange.bodyDone, true);
  caller.drained();
  caller.callerGone();
  assert.deepEqual(heard, ["chunk begun", "end undefined", "drained", "gone"]);
});

test("holdBody() refuses to forward more than the route takes", async () => {
  const { caller, held } = ground();
  caller.bodyChunk(Buffer.from("begun"));
  caller.bodyEnd(undefined);
  const exchange = asHeld(await held);
  const heard: string[] = [];
  exchange.attach(listener(heard));
  exchange.read(4);
  assert.deepEqual(heard, ["fault body-too-large"]);
});

test("holdBody() says why a body is not there", async () => {
  const faults: readonly [string, (caller: BodyReader) => void][] = [
    ["body-too-large", (caller) => caller.bodyChunk(Buffer.alloc(5001))],
    ["request-timeout", (caller) => caller.bodyFault("request-timeout", "slow")],
    ["malformed-request", (caller) => caller.bodyFault("malformed-request", "torn")],
    ["caller-gone", (caller) => caller.callerGone()],
  ];
  for (const [fault, happen] of faults) {
    const { caller, held, room } = ground();
    caller.bodyChunk(Buffer.from("be"));
    assert.ok(room.held > 0);
    happen(caller);
    caller.bodyEnd(undefined);
    const settled = await held;
    assert.equal("fault" in settled && settled.fault, fault);
    assert.equal(room.held, 0, fault);
  }
  const late = await ground({ gone: true }).held;
  assert.equal("fault" in late && late.fault, "caller-gone");
});

test("holdBody() refuses what the process has no room for", async () => {
  const { caller, held, room } = ground({ total: 4095 });
  caller.bodyChunk(Buffer.from("a"));
  const settled = await held;
  assert.equal("fault" in settled && settled.fault, "overloaded");
  assert.equal(room.held, 0);
});

test("holdBody() gives its room back once, whatever ends it", async () => {
  const ends: readonly ((exchange: HeldExchange, over: () => void) => void)[] = [
    (exchange) => exchange.release(),
    (exchange) => exchange.begin(200, [], { bodyKind: "none", contentLength: 0 }),
    (_, over) => over(),
  ];
  for (const end of ends) {
    const { caller, held, room, exchange: inner } = ground();
    caller.bodyChunk(Buffer.from("begun"));
    caller.bodyEnd(undefined);
    const exchange = asHeld(await held);
    let over = 0;
    exchange.whenOver = () => (over += 1);
    assert.equal(room.held, 4096);
    end(exchange, () => inner.whenOver?.());
    assert.equal(room.held, 0);
    inner.whenOver?.();
    assert.equal(room.held, 0);
    assert.ok(over > 0);
  }
});
