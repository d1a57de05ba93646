import assert from "node:assert/strict";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { line, segmentGround, type SegmentGround } from "../../../test/segment-kit.ts";
import { openSegmentReader, type ReaderStart, type SegmentReader } from "./segment-reader.ts";
import { createWriters } from "./writers.ts";

interface Bench {
  readonly reader: SegmentReader;
  readonly missed: string[];
  /** All that there is now, in pieces of at most so many bytes. */
  readonly read: (maxBytes?: number) => Promise<string>;
}

async function open(
  context: TestContext,
  ground: SegmentGround,
  start: ReaderStart,
): Promise<Bench> {
  let nowMs = 0;
  const missed: string[] = [];
  const writers = createWriters(ground.folder, {
    now: () => nowMs,
    alive: (pid) => ground.alive.has(pid),
    openFiles: () => undefined,
  });
  const monotonic = (): number => nowMs;
  const deps = { monotonic, missed: (name: string) => missed.push(name), writers };
  const reader = await openSegmentReader(ground.folder, start, deps);
  context.after(() => reader.close());
  return {
    reader,
    missed,
    async read(maxBytes = 1 << 20) {
      nowMs += 60_000;
      let text = "";
      for (;;) {
        const batch = await reader.next(maxBytes);
        if (batch === undefined) return text;
        text += Buffer.from(batch.bytes).toString("utf8");
      }
    },
  };
}

function keptPosition(reader: SegmentReader): ReaderStart {
  return JSON.parse(JSON.stringify(reader.position())) as ReaderStart;
}

test("next() gives all segments in the order of their names, in pieces, and what is appended later", async (context) => {
  const ground = await segmentGround(context);
  ground.alive.add(7);
  await ground.append(0, "5", line("a") + line("b"));
  await ground.append(1, "7", line("c"));
  const { read } = await open(context, ground, "first");
  assert.equal(await read(line("a").length + 3), line("a") + line("b") + line("c"));
  await ground.append(1, "7", line("d"));
  await ground.append(2, "8", line("e"));
  assert.equal(await read(), line("d") + line("e"));
  assert.equal(await read(), "");
});

test("next() goes on from a kept position, also in the middle of a segment that is compressed by now", async (context) => {
  const ground = await segmentGround(context);
  const name = await ground.append(0, "5", line("a") + line("b") + line("c"));
  const first = await open(context, ground, "first");
  const batch = await first.reader.next(line("a").length);
  assert.equal(batch?.count, 1);
  await ground.compress(name);
  const second = await open(context, ground, keptPosition(first.reader));
  assert.equal(await second.read(), line("b") + line("c"));
  const third = await open(context, ground, keptPosition(second.reader));
  assert.equal(await third.read(), "");
});

test("next() begins with what is written from now on when told so", async (context) => {
  const ground = await segmentGround(context);
  ground.alive.add(7);
  await ground.append(0, "5", line("a"));
  await ground.append(1, "7", line("b"));
  const { read } = await open(context, ground, "now");
  await ground.append(1, "7", line("c"));
  await ground.append(2, "8", line("d"));
  assert.equal(await read(), line("c") + line("d"));
});

test("next() passes over what was removed before it was read, and says so", async (context) => {
  const ground = await segmentGround(context);
  const gone = await ground.append(0, "5", line("a") + line("b"));
  const unread = await ground.append(1, "5", line("c"));
  const { reader, missed, read } = await open(context, ground, "first");
  await reader.next(line("a").length);
  await reader.close();
  await unlink(join(ground.folder, gone));
  await unlink(join(ground.folder, unread));
  await ground.append(2, "5", line("d"));
  assert.equal(await read(), line("d"));
  assert.equal(await read(), "");
  assert.deepEqual(missed, [gone, unread]);
});

test("position() stays small over many segments, and none of them is read twice or missed", async (context) => {
  const ground = await segmentGround(context);
  ground.alive.add(1);
  const slow = await ground.append(0, "1", line("slow"));
  let expected = line("slow");
  for (let index = 1; index <= 150; index++) {
    await ground.append(index, "5", line(String(index)));
    expected += line(String(index));
  }
  const { reader, read } = await open(context, ground, "first");
  assert.equal(await read(), expected);
  const { after, at } = reader.position();
  assert.ok(Object.keys(at).length <= 66);
  assert.ok(after > slow);
  await ground.append(0, "1", line("slower"));
  const again = await open(context, ground, keptPosition(reader));
  assert.equal(await again.read(), line("slower"));
});
