import assert from "node:assert/strict";
import { truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { keepingLog, type LoggedEvent } from "../../../test/audit-kit.ts";
import {
  createMetrics,
  KeepingConsumer,
  line,
  type RunningMetrics,
  segmentGround,
  type SegmentGround,
} from "../../../test/segment-kit.ts";
import { ManualClock } from "../../platform/clock.ts";
import { createFollower, type Follower } from "./follower.ts";
import { createWriters } from "./writers.ts";

interface Bench {
  readonly ground: SegmentGround;
  readonly follower: Follower;
  readonly events: LoggedEvent[];
  readonly metrics: RunningMetrics;
  /** Looks until there is nothing more, a second later. */
  readonly look: () => Promise<void>;
}

async function bench(context: TestContext, consumers: KeepingConsumer[]): Promise<Bench> {
  const ground = await segmentGround(context);
  return { ground, ...follow(context, ground, consumers) };
}

function follow(
  context: TestContext,
  ground: SegmentGround,
  consumers: KeepingConsumer[],
): Omit<Bench, "ground"> {
  const clock = new ManualClock(0);
  const log = keepingLog();
  const metrics = createMetrics();
  const writers = createWriters(ground.folder, {
    now: () => clock.monotonic(),
    alive: (pid) => ground.alive.has(pid),
    openFiles: () => undefined,
  });
  const follower = createFollower(
    { folder: ground.folder, consumers },
    { clock, log, metrics, writers },
  );
  context.after(() => follower.close());
  return {
    follower,
    events: log.events,
    metrics,
    async look() {
      clock.advance(60_000);
      while (await follower.look());
    },
  };
}

test("look() gives each consumer what was appended, once, in order, from where it stands", async (context) => {
  const [one, other] = [new KeepingConsumer("one"), new KeepingConsumer("other")];
  const { ground, look } = await bench(context, [one, other]);
  ground.alive.add(7);
  const name = await ground.append(0, "7", line("a") + line("b"));
  other.positions.set(name, line("a").length);
  await look();
  await ground.append(0, "7", line("c").slice(0, 10));
  await look();
  assert.equal(one.taken.get(name), line("a") + line("b"));
  assert.equal(other.taken.get(name), line("b"));
  await ground.append(0, "7", line("c").slice(10));
  await look();
  assert.equal(one.taken.get(name), line("a") + line("b") + line("c"));
  assert.equal(other.taken.get(name), line("b") + line("c"));
  assert.equal(one.parsed.length, 3);
  assert.deepEqual(one.ends, []);
});

test("look() says that a segment ended, and its torn bytes, when its writer is gone or has begun another", async (context) => {
  const one = new KeepingConsumer("one");
  const { ground, look, follower } = await bench(context, [one]);
  ground.alive.add(7);
  const first = await ground.append(0, "7", `${line("a")}{"torn`);
  await look();
  assert.deepEqual(one.ends, []);
  const second = await ground.append(5, "7", line("b"));
  await look();
  assert.deepEqual(one.ends, [{ segment: first, bytes: line("a").length, tornBytes: 6 }]);
  ground.alive.delete(7);
  await look();
  await look();
  assert.deepEqual(one.ends.slice(1), [{ segment: second, bytes: line("b").length, tornBytes: 0 }]);
  assert.deepEqual(
    follower.seen().map(({ segment }) => segment),
    [first, second],
  );
});

test("look() goes on without a consumer that throws, and gives it later what it missed", async (context) => {
  const [one, other] = [new KeepingConsumer("one"), new KeepingConsumer("other")];
  const { ground, look, events, metrics } = await bench(context, [one, other]);
  ground.alive.add(7);
  one.fault = new Error("no room");
  const name = await ground.append(0, "7", line("a"));
  await look();
  await ground.append(0, "7", line("b"));
  await look();
  assert.equal(one.taken.get(name), undefined);
  assert.equal(other.taken.get(name), line("a") + line("b"));
  assert.match(metrics.render().body, /consumer_failing\{consumer="one"\} 1/);
  assert.equal(events.filter(({ level }) => level === "error").length, 2);
  one.fault = undefined;
  await look();
  assert.equal(one.taken.get(name), line("a") + line("b"));
  assert.equal(other.taken.get(name), line("a") + line("b"));
  assert.match(metrics.render().body, /consumer_failing\{consumer="one"\} 0/);
});

test("commit() commits what was given, once; who cannot commit is given nothing more until it can", async (context) => {
  const [one, other] = [new KeepingConsumer("one"), new KeepingConsumer("other")];
  const { ground, look, follower } = await bench(context, [one, other]);
  ground.alive.add(7);
  const name = await ground.append(0, "7", line("a"));
  await look();
  one.commitFault = new Error("no room");
  await follower.commit();
  assert.deepEqual([one.commits, other.commits], [0, 1]);
  await ground.append(0, "7", line("b"));
  await look();
  assert.equal(one.taken.get(name), line("a"));
  assert.equal(other.taken.get(name), line("a") + line("b"));
  one.commitFault = undefined;
  await follower.commit();
  await look();
  assert.equal(one.taken.get(name), line("a") + line("b"));
  await follower.commit();
  await follower.commit();
  assert.deepEqual([one.commits, other.commits], [2, 3]);
});

test("look() reads a compressed segment as what it was made from", async (context) => {
  const [one, other] = [new KeepingConsumer("one"), new KeepingConsumer("other")];
  const { ground, look } = await bench(context, [one, other]);
  const text = Array.from({ length: 20_000 }, (_, index) => line(`entry ${index}`)).join("");
  const name = await ground.append(0, "7", text);
  other.positions.set(name, text.length);
  await ground.compress(name);
  await look();
  assert.equal(one.taken.get(name), text);
  assert.equal(other.taken.get(name), undefined);
  assert.deepEqual(one.ends, [{ segment: name, bytes: text.length, tornBytes: 0 }]);
  assert.deepEqual(other.ends, one.ends);
  assert.ok(one.batches.length > 1);
});

test("look() counts lines that are no records, and reads one that is longer than a piece", async (context) => {
  const one = new KeepingConsumer("one");
  const { ground, look, metrics } = await bench(context, [one]);
  const text = `${line("a")}${"\0".repeat(3 << 20)}\nnull\n[]\n${line("b")}`;
  const name = await ground.append(0, "7", text);
  await look();
  assert.equal(one.taken.get(name), text);
  assert.equal(one.parsed.length, 2);
  assert.match(metrics.render().body, /^sallyport_audit_bad_lines_total 3$/m);
  assert.deepEqual(one.ends, [{ segment: name, bytes: text.length, tornBytes: 0 }]);
});

test("look() says that a segment was cut or removed, and reads the others", async (context) => {
  const one = new KeepingConsumer("one");
  const { ground, look, events } = await bench(context, [one]);
  ground.alive.add(7);
  ground.alive.add(8);
  ground.alive.add(9);
  const cut = await ground.append(0, "7", line("a") + line("b"));
  const removed = await ground.append(1, "8", line("c"));
  const other = await ground.append(2, "9", line("d"));
  await look();
  await truncate(join(ground.folder, cut), line("a").length);
  await unlink(join(ground.folder, removed));
  await ground.append(2, "9", line("e"));
  await look();
  assert.equal(one.taken.get(other), line("d") + line("e"));
  assert.deepEqual(
    events.map(({ event }) => event),
    [
      "audit: a file of the log was removed before it was read to its end",
      "audit: the log cannot be read back; it is tried again",
    ],
  );
});

test("look() leaves files of other names alone", async (context) => {
  const one = new KeepingConsumer("one");
  const { ground, look } = await bench(context, [one]);
  await writeFile(join(ground.folder, "values.key"), "secret\n");
  await writeFile(join(ground.folder, "audit-7.jsonl"), line("a"));
  await look();
  assert.equal(one.taken.size, 0);
});
