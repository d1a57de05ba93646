/**
 * Heads that cost more than they weigh. The CONTINUATION flood (VU#421644, 2024: CVE-2024-27316,
 * CVE-2024-24549 and a dozen more): a field block that never ends, gathered in memory or decoded for
 * nothing. The header bomb (CVE-2016-6581): a small block whose every byte stands for kilobytes by
 * way of the dynamic table. Zero-length names (CVE-2019-9516): fields that weigh nothing and are kept
 * all the same. Each has a bound that does not depend on what the caller says, is refused by it, and
 * costs the next caller nothing.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { CODE, FLAGS } from "../http2/codes.ts";
import { assertFloodEnds } from "../http2/flood.ts";
import { continuationFrame, headersFrame } from "../http2/frames.ts";
import { assertAlive, Http2Ground } from "../http2/ground.ts";
import {
  encodeIndexed,
  encodeLiterals,
  encodeReference,
  encodeTableSize,
  type Field,
} from "../http2/hpack.ts";
import { type Http2Peer, requestFields, statusOf } from "../http2/peer.ts";

const GET = encodeLiterals(requestFields("GET", "/hit"));
const WHOLE = FLAGS.endHeaders | FLAGS.endStream;

const CONTINUATIONS: readonly [name: string, payload: Buffer][] = [
  ["empty CONTINUATIONs", Buffer.alloc(0)],
  ["CONTINUATIONs of one byte", Buffer.alloc(1)],
  ["CONTINUATIONs of fields", encodeLiterals([["x-name", "value"]])],
  ["large CONTINUATIONs", encodeLiterals([["x-name", "v".repeat(16_000)]])],
];

for (const [name, payload] of CONTINUATIONS) {
  test(`a field block of ${name} without end ends its connection alone`, async () => {
    await using ground = await Http2Ground.start();
    const rounds = await assertFloodEnds(ground, {
      rounds: 20_000,
      begin: (caller) => caller.send(headersFrame(1, GET, FLAGS.endStream)),
      round: () => [continuationFrame(1, payload)],
      limits: ["http2Continuations", "http2HeaderBlock"],
    });
    // Well below a megabyte, and not one frame for each byte of that either.
    assert.ok(rounds <= 1000, `${rounds} frames`);
  });
}

/** A block of `count` references to an entry of the dynamic table of about 4000 bytes. */
function bomb(count: number): Buffer {
  return Buffer.concat([
    GET,
    encodeIndexed(["x-bomb", "b".repeat(4000)]),
    ...Array.from({ length: count }, () => encodeReference(62)),
  ]);
}

/** The block over as many CONTINUATIONs as it takes. */
function sendBlock(caller: Http2Peer, streamId: number, block: Buffer): void {
  const first = block.subarray(0, 16_384);
  const more = block.length > first.length;
  caller.send(headersFrame(streamId, first, more ? FLAGS.endStream : WHOLE));
  for (let at = first.length; at < block.length; at += 16_384) {
    const last = at + 16_384 >= block.length;
    const part = block.subarray(at, at + 16_384);
    caller.send(continuationFrame(streamId, part, last ? FLAGS.endHeaders : 0));
  }
}

/** It was answered 431, or reset; the connection may end for it too. Nothing arrived. */
async function assertTooLarge(ground: Http2Ground, caller: Http2Peer, id: number): Promise<void> {
  const seen = caller.stream(id);
  const over = (): boolean =>
    seen.ended || seen.reset !== undefined || caller.ended || caller.closed;
  await caller.until("a refusal", over);
  const status = statusOf(seen);
  if (status !== undefined) assert.equal(status, 431);
  else if (seen.reset === undefined) assert.equal(caller.goaway?.code, CODE.enhanceYourCalm);
  assert.deepEqual(
    ground.arrived().filter(({ target }) => target === "/hit"),
    [],
  );
}

test("a header bomb is refused without its megabytes, and the table stays in step", async () => {
  await using ground = await Http2Ground.start();
  const other = await ground.caller();
  const caller = await ground.caller();
  // 12 KB that stand for 50 MB.
  caller.send(headersFrame(1, bomb(8000), WHOLE));
  await assertTooLarge(ground, caller, 1);
  await assertAlive(other);
  if (caller.ended || caller.closed) return;
  const next = Buffer.concat([encodeLiterals(requestFields("GET", "/next")), encodeReference(62)]);
  caller.send(headersFrame(3, next, WHOLE));
  assert.equal(statusOf(await caller.answer(3)), 200);
  const request = ground.arrived().find(({ target }) => target === "/next");
  assert.ok(request?.fields.some(([name, value]) => name === "x-bomb" && value.length === 4000));
});

test("header bombs one after the other take no memory with them", async () => {
  await using ground = await Http2Ground.start();
  const other = await ground.caller();
  await assertAlive(other);
  const before = process.memoryUsage.rss();
  for (let index = 0; index < 20; index += 1) {
    const caller = await ground.caller();
    caller.send(headersFrame(1, bomb(8000), WHOLE));
    await assertTooLarge(ground, caller, 1);
    caller.destroy();
  }
  // Held whole they would be 1 GB of lists; strings shared with the table still 160 000 entries.
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 200 * 1024 * 1024, `${grown} bytes`);
  await assertAlive(other);
});

test("a table that grows and shrinks within a block is no way around the bound", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  const block = Buffer.concat([encodeTableSize(0), encodeTableSize(4096), bomb(8000)]);
  caller.send(headersFrame(1, block, WHOLE));
  await assertTooLarge(ground, caller, 1);
});

const MANY: readonly [name: string, fields: readonly Field[]][] = [
  ["5000 fields without a name", Array.from({ length: 5000 }, (): Field => ["", ""])],
  ["5000 fields of one letter", Array.from({ length: 5000 }, (): Field => ["a", ""])],
  ["5000 cookies", Array.from({ length: 5000 }, (): Field => ["cookie", "a"])],
  ["one field of 60 KB", [["a", "b".repeat(60_000)]]],
  ["a name of 60 KB", [["a".repeat(60_000), "b"]]],
];

for (const [name, fields] of MANY) {
  test(`a head with ${name} is refused`, async () => {
    await using ground = await Http2Ground.start();
    const other = await ground.caller();
    const caller = await ground.caller();
    sendBlock(caller, 1, encodeLiterals([...requestFields("GET", "/hit"), ...fields]));
    const seen = caller.stream(1);
    await caller.until(
      "a refusal",
      () => seen.ended || seen.reset !== undefined || caller.ended || caller.closed,
    );
    const status = statusOf(seen);
    if (status !== undefined) assert.ok(status === 431 || status === 400, String(status));
    assert.deepEqual(
      ground.arrived().filter(({ target }) => target === "/hit"),
      [],
    );
    await assertAlive(other);
  });
}

test("a :path of 20 KB is answered 414", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  sendBlock(caller, 1, encodeLiterals(requestFields("GET", `/${"a".repeat(20_000)}`)));
  assert.equal(statusOf(await caller.answer(1)), 414);
  await assertAlive(caller);
});

test("a field block that stops half-way is cut off by the clock", async () => {
  await using ground = await Http2Ground.start({ limits: { headTimeout: "5s" } });
  const other = await ground.caller();
  await assertAlive(other);
  const caller = await ground.caller();
  await caller.roundTrip();
  caller.send(headersFrame(1, GET, FLAGS.endStream));
  for (let second = 0; second < 60 && !caller.ended && !caller.closed; second += 1) {
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
    ground.loopback.pass(1000);
  }
  assert.ok(caller.ended || caller.closed, "it is still open after a minute");
});
