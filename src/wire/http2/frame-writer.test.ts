import { strict as assert } from "node:assert";
import test from "node:test";
import { FrameWriter } from "./frame-writer.ts";
import { readFrames } from "./frames.fixture.ts";

const KIB = 1024;

test("FrameWriter.headers() splits a block that is longer than the peer's frames", () => {
  const block = Buffer.alloc(40_000, "ab");
  const writer = new FrameWriter();
  writer.headers(5, block, true);
  assert.equal(writer.size, block.length + 3 * 9);
  const bytes = Buffer.concat(writer.take());
  // HEADERS with END_STREAM alone, then CONTINUATION, the last one with END_HEADERS.
  assert.deepEqual([bytes[3], bytes[4]], [1, 1]);
  assert.deepEqual([bytes[9 + 16_384 + 3], bytes[9 + 16_384 + 4]], [9, 0]);
  assert.deepEqual([bytes[2 * (9 + 16_384) + 3], bytes[2 * (9 + 16_384) + 4]], [9, 4]);
  const read = readFrames(bytes, { maxBlockBytes: block.length });
  assert.deepEqual(read, [["headers", 5, block.toString("hex"), true]]);
});

test("FrameWriter fills a frame to the last byte before it takes another", () => {
  for (const [bytes, frames] of [
    [16_384, 1],
    [16_385, 2],
    [2 * 16_384, 2],
    [2 * 16_384 + 1, 3],
  ] as const) {
    const writer = new FrameWriter();
    const block = Buffer.alloc(bytes, "x");
    writer.headers(1, block, false);
    assert.equal(writer.size, bytes + frames * 9);
    const limits = { maxBlockBytes: bytes };
    const read = readFrames(Buffer.concat(writer.take()), limits);
    assert.deepEqual(read, [["headers", 1, block.toString("hex"), false]]);
    writer.data(1, block, true);
    assert.equal(writer.size, bytes + frames * 9);
    const ends = readFrames(Buffer.concat(writer.take())).map(([, , , end]) => end);
    assert.deepEqual(ends, [...Array.from({ length: frames - 1 }, () => false), true]);
  }
});

test("FrameWriter writes frames as long as the peer allows", () => {
  const writer = new FrameWriter();
  writer.maxFrameBytes = 20_000;
  writer.headers(1, Buffer.alloc(20_001), false);
  assert.equal(writer.size, 20_001 + 2 * 9);
});

test("FrameWriter.data() splits by the peer's frames and ends the stream with the last one", () => {
  const bytes = Buffer.alloc(40_000, "abc");
  const writer = new FrameWriter();
  writer.data(7, bytes, true);
  const calls = readFrames(Buffer.concat(writer.take()));
  assert.deepEqual(
    calls.map(([verb, id, , end, flow]) => [verb, id, end, flow]),
    [
      ["data", 7, false, 16_384],
      ["data", 7, false, 16_384],
      ["data", 7, true, 40_000 - 2 * 16_384],
    ],
  );
  assert.equal(calls.map(([, , payload]) => payload).join(""), bytes.toString("hex"));
});

test("FrameWriter.data() writes an empty frame, to end a stream", () => {
  const writer = new FrameWriter();
  writer.data(1, Buffer.alloc(0), true);
  assert.deepEqual(readFrames(Buffer.concat(writer.take())), [["data", 1, "", true, 0]]);
});

test("FrameWriter.take() gives small frames as one buffer and large payloads by reference", () => {
  const writer = new FrameWriter();
  const large = Buffer.alloc(5 * KIB, 1);
  writer.windowUpdate(0, 1);
  writer.headers(1, Buffer.from("a"), false);
  writer.data(1, Buffer.from("small"), false);
  writer.data(1, large, false);
  writer.settingsAck();
  const parts = writer.take();
  assert.deepEqual(
    parts.map((part) => part.length),
    [13 + 10 + 14 + 9, large.length, 9],
  );
  assert.equal(parts[1], large);
  assert.equal(writer.size, 0);
  assert.deepEqual(writer.take(), []);
});

test("FrameWriter.take() leaves what was taken before untouched, whoever writes next", () => {
  const writers = [new FrameWriter(), new FrameWriter(), new FrameWriter()];
  const taken: { readonly copy: string; readonly parts: Buffer[] }[] = [];
  const payload = Buffer.alloc(700);
  for (let round = 0; round < 200; round++) {
    for (const [index, writer] of writers.entries()) {
      payload.fill(round * 3 + index);
      writer.data(1, payload, false);
      // Two of them are interrupted by the others before they give up their page.
      if (round % (index + 1) !== 0) continue;
      const parts = writer.take();
      taken.push({ parts, copy: Buffer.concat(parts).toString("latin1") });
    }
  }
  for (const { parts, copy } of taken) {
    assert.equal(Buffer.concat(parts).toString("latin1"), copy);
  }
  assert.equal(taken.length, 200 + 100 + 67);
});

test("FrameWriter refuses by assertion what no peer may be sent", () => {
  const writer = new FrameWriter();
  const none = Buffer.alloc(0);
  for (const bad of [0, -1, 1.5, 2 ** 31, Number.NaN]) {
    assert.throws(() => writer.headers(bad, none, true), TypeError);
    assert.throws(() => writer.data(bad, none, true), TypeError);
    assert.throws(() => writer.rstStream(bad, 0), TypeError);
    assert.throws(() => writer.windowUpdate(1, bad), TypeError);
    if (bad === 0) continue;
    assert.throws(() => writer.goaway(bad, 0), TypeError);
    assert.throws(() => writer.windowUpdate(bad, 1), TypeError);
  }
  assert.throws(() => writer.ping(Buffer.alloc(7), false), TypeError);
  assert.equal(writer.size, 0);
  writer.windowUpdate(2 ** 31 - 1, 2 ** 31 - 1);
  assert.deepEqual(readFrames(Buffer.concat(writer.take())), [
    ["windowUpdate", 2 ** 31 - 1, 2 ** 31 - 1],
  ]);
});
