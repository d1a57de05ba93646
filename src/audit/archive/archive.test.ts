import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { keepingLog, NOW_MS, type LoggedEvent } from "../../../test/audit-kit.ts";
import {
  createMetrics,
  KeepingConsumer,
  line,
  segmentGround,
  type SegmentGround,
} from "../../../test/segment-kit.ts";
import type { EventRecord } from "../../model/events.ts";
import { ManualClock } from "../../platform/clock.ts";
import { createFollower, type Follower } from "../follow/follower.ts";
import { createWriters } from "../follow/writers.ts";
import { Archive, type ArchiveOptions } from "./archive.ts";
import { compressSegment } from "./compress.ts";
import { TornReports } from "./torn-reports.ts";

const HOUR_MS = 3_600_000;

interface Bench {
  readonly ground: SegmentGround;
  readonly follower: Follower;
  readonly archive: Archive;
  readonly events: EventRecord[];
  readonly lines: LoggedEvent[];
  readonly consumer: KeepingConsumer;
  /** A minute later: looks, commits and tidies. */
  readonly round: () => Promise<void>;
}

async function bench(
  context: TestContext,
  options: Partial<ArchiveOptions>,
  given?: SegmentGround,
): Promise<Bench> {
  const ground = given ?? (await segmentGround(context));
  const clock = new ManualClock(NOW_MS);
  const log = keepingLog();
  const events: EventRecord[] = [];
  const metrics = createMetrics();
  const deps = { clock, log, metrics, events: { event: (one: EventRecord) => events.push(one) } };
  const archive = new Archive(
    { folder: ground.folder, compressAfterMs: undefined, keepMs: undefined, ...options },
    deps,
  );
  const torn = TornReports.open(ground.folder, deps);
  const consumer = new KeepingConsumer("one");
  const follower = createFollower(
    {
      folder: ground.folder,
      consumers: [consumer],
      saw(batch) {
        archive.saw(batch);
        torn.saw(batch);
      },
      ended: (end) => torn.ended(end),
    },
    {
      ...deps,
      writers: createWriters(ground.folder, {
        now: () => clock.monotonic(),
        alive: (pid) => ground.alive.has(pid),
        openFiles: () => undefined,
      }),
    },
  );
  context.after(() => follower.close());
  return {
    ground,
    follower,
    archive,
    events,
    lines: log.events,
    consumer,
    async round() {
      clock.advance(60_000);
      while (await follower.look());
      if (await follower.commit()) await archive.committed(follower.seen());
      await archive.tidy(follower.seen());
    },
  };
}

/** As if its last record had been written so long before the test's time. */
async function written(ground: SegmentGround, segment: string, agoMs: number): Promise<void> {
  const time = new Date(NOW_MS - agoMs);
  await utimes(join(ground.folder, segment), time, time);
}

function eventLine(record: EventRecord): string {
  const { timeMs, ...rest } = record;
  return `${JSON.stringify({ type: "event", v: 1, ...rest, time: new Date(timeMs).toISOString() })}\n`;
}

test("tidy() compresses what was over for long enough, and nothing else", async (context) => {
  const { ground, round, consumer } = await bench(context, { compressAfterMs: HOUR_MS });
  ground.alive.add(9);
  const old = await ground.append(-3 * HOUR_MS, "7", line("a") + "torn");
  const young = await ground.append(-2 * HOUR_MS, "7", line("b"));
  const growing = await ground.append(-HOUR_MS, "9", line("c"));
  await written(ground, old, 2 * HOUR_MS);
  await written(ground, young, HOUR_MS / 2);
  await written(ground, growing, 2 * HOUR_MS);
  await round();
  await round();
  assert.deepEqual((await readdir(ground.folder)).toSorted(), [`${old}.gz`, young, growing]);
  const file = join(ground.folder, `${old}.gz`);
  assert.equal(gunzipSync(await readFile(file)).toString("utf8"), `${line("a")}torn`);
  const { mode, mtimeMs } = await stat(file);
  assert.equal(mode & 0o777, 0o600);
  assert.equal(mtimeMs, NOW_MS - 2 * HOUR_MS);
  await ground.append(-HOUR_MS, "9", line("d"));
  await round();
  assert.equal(consumer.taken.get(growing), line("c") + line("d"));
});

test("compressSegment() is right again after a crash at each of its steps", async (context) => {
  const ground = await segmentGround(context);
  const text = Array.from({ length: 20_000 }, (_, index) => line(String(index))).join("");
  const name = await ground.append(0, "7", text);
  // While the draft was written, and after it had its name.
  await writeFile(join(ground.folder, `${name}.gz.draft`), "half");
  await writeFile(join(ground.folder, `${name}.gz`), "half");
  const { bytes, compressedBytes } = await compressSegment(ground.folder, name);
  assert.equal(bytes, text.length);
  assert.ok(compressedBytes < text.length / 4);
  assert.deepEqual(await readdir(ground.folder), [`${name}.gz`]);
  assert.equal(gunzipSync(await readFile(join(ground.folder, `${name}.gz`))).toString(), text);
});

test("tidy() takes away drafts that a crash left", async (context) => {
  const { ground, round } = await bench(context, { compressAfterMs: HOUR_MS });
  await writeFile(join(ground.folder, "audit-20261124T040506.123Z-5.jsonl.gz.draft"), "half");
  await round();
  assert.deepEqual(await readdir(ground.folder), []);
});

test("a file that is too old goes once its removal is on record and committed, not before", async (context) => {
  const { ground, round, events, consumer } = await bench(context, { keepMs: 2 * HOUR_MS });
  ground.alive.add(9);
  const old = await ground.append(-9 * HOUR_MS, "7", line("a"));
  const growing = await ground.append(-8 * HOUR_MS, "9", line("c"));
  await written(ground, old, 3 * HOUR_MS);
  await written(ground, growing, 3 * HOUR_MS);
  await round();
  await round();
  const [event] = events;
  assert.equal(events.length, 1);
  assert.equal(event?.event, "file-removed");
  assert.deepEqual(event.figures, { bytes: line("a").length, file: old });
  assert.ok((await readdir(ground.folder)).includes(old));
  consumer.commitFault = new Error("no room");
  await ground.append(-8 * HOUR_MS, "9", eventLine(event));
  await round();
  assert.ok((await readdir(ground.folder)).includes(old));
  consumer.commitFault = undefined;
  await round();
  assert.deepEqual(await readdir(ground.folder), [growing]);
});

test("a torn record is told once, also over restarts", async (context) => {
  const first = await bench(context, {});
  const { ground } = first;
  ground.alive.add(9);
  const torn = await ground.append(0, "7", `${line("a")}torn`);
  const growing = await ground.append(1, "9", line("b"));
  await first.round();
  assert.deepEqual(
    first.events.map(({ event, figures }) => [event, figures]),
    [["torn-record", { bytes: 4, file: torn }]],
  );
  // Not on record yet when the process died: told again.
  const second = await bench(context, {}, ground);
  await second.round();
  assert.equal(second.events.length, 1);
  for (const event of second.events) await ground.append(1, "9", eventLine(event));
  await second.round();
  await second.follower.close();
  assert.match(await readFile(join(ground.folder, "torn.list"), "utf8"), new RegExp(`^${torn}\n$`));
  const third = await bench(context, {}, ground);
  await third.round();
  assert.deepEqual(third.events, []);
  assert.ok(third.consumer.taken.has(growing));
});

test("tidy() leaves alone what no reader would take compressed, and goes on with the next file", async (context) => {
  const { ground, round, lines } = await bench(context, { compressAfterMs: HOUR_MS });
  const flooded = await ground.append(-4 * HOUR_MS, "7", "\n".repeat(100_000));
  const old = await ground.append(-3 * HOUR_MS, "7", line("a"));
  for (const name of [flooded, old]) await written(ground, name, 2 * HOUR_MS);
  for (let rounds = 0; rounds < 4; rounds++) await round();
  assert.deepEqual((await readdir(ground.folder)).toSorted(), [flooded, `${old}.gz`]);
  const failed = lines.filter(({ event }) => event.includes("could not be compressed"));
  assert.deepEqual(
    failed.map(({ fields }) => fields["file"]),
    [flooded],
  );
});

test("TornReports.open() refuses a list that cannot be read, and waits for no pipe", async (t) => {
  const { folder } = await segmentGround(t);
  const deps = { clock: new ManualClock(NOW_MS), log: keepingLog(), metrics: createMetrics() };
  const open = (): unknown => TornReports.open(folder, { ...deps, events: { event: () => {} } });
  open();
  assert.equal(spawnSync("mkfifo", ["-m", "600", join(folder, "torn.list")]).status, 0);
  assert.throws(open, /torn\.list cannot be read \(not a regular file\); remove it/);
});
