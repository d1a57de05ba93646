/** What the log does when the disk fails, in each way that it can. */
import assert from "node:assert/strict";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  completion,
  FaultyFiles,
  ManualTimers,
  NOW_MS,
  openLog,
  permit,
  readRecords,
  readSegments,
  systemError,
  until,
  type Bench,
} from "../../test/audit-kit.ts";
import { SallyportError } from "../model/errors.ts";
import { ManualClock } from "../platform/clock.ts";

const durabilities = ["batched", "strict"] as const;

for (const durability of durabilities) {
  test(`decision() refuses while the disk is full and goes on at the next byte (${durability})`, async (context) => {
    const { bench, files } = await faultyLog(context, durability);
    // Room for one record and a half: the second one is torn.
    const { log } = bench;
    files.room = 1400;
    for (let index = 0; index < 3; index++) take(bench, index);
    const waiting = log.durable();
    await until("the failure", () => !log.writable());
    if (durability === "strict") await assert.rejects(waiting ?? Promise.resolve(), isAuditFailed);
    assert.equal(log.decision(permit()), "refused");
    if (durability === "strict") await assert.rejects(log.durable() ?? Promise.resolve());
    log.completion(completion());
    files.room = undefined;
    await until("recovery", () => log.writable());
    take(bench, 3);
    await log.close();
    const segments = await readSegments(bench.folder);
    assert.equal(segments.length, 1);
    assert.deepEqual(await ids(bench), ["r0", "r1", "r2", "r3"]);
    assert.ok(bench.events.some(({ event }) => event === "audit: the log can be written again"));
  });

  for (const code of ["EIO", "EROFS", "ESTALE"]) {
    test(`decision() refuses on ${code}, and what was taken is written to another file (${durability})`, async (context) => {
      const { bench, files } = await faultyLog(context, durability);
      const { log } = bench;
      files.faults.set("write", systemError(code));
      for (let index = 0; index < 3; index++) take(bench, index);
      await until("the failure", () => !log.writable());
      files.faults.set("create", systemError(code));
      files.faults.delete("write");
      await until("a second failure", () => bench.events.length >= 2);
      assert.equal(log.writable(), false);
      files.faults.clear();
      await until("recovery", () => log.writable());
      await log.close();
      assert.deepEqual(await ids(bench), ["r0", "r1", "r2"]);
    });
  }

  test(`a sync that fails makes the log begin another file (${durability})`, async (context) => {
    const { bench, files } = await faultyLog(context, durability);
    const { log } = bench;
    files.faults.set("datasync", systemError("EIO"));
    for (let index = 0; index < 3; index++) take(bench, index);
    const waiting = log.durable();
    await until("the failure", () => !log.writable());
    if (waiting !== undefined) await assert.rejects(waiting, isAuditFailed);
    files.faults.clear();
    await until("recovery", () => log.writable());
    await log.close();
    // What could not be synced stands in both files when each record was to be on disk.
    const once = ["r0", "r1", "r2"];
    const expected = durability === "strict" ? [...once, ...once] : once;
    assert.deepEqual(await ids(bench), expected);
    assert.ok(bench.events.some(({ event }) => event.includes("may not be on disk")));
  });

  test(`lines stay whole and in order when each write takes a few bytes (${durability})`, async (context) => {
    const { bench, files } = await faultyLog(context, durability);
    files.shortWrite = 97;
    for (let index = 0; index < 40; index++) take(bench, index);
    await bench.log.close();
    assert.deepEqual(
      await ids(bench),
      Array.from({ length: 40 }, (_, index) => `r${index}`),
    );
  });

  test(`a file that was deleted or moved while it was written is noticed (${durability})`, async (context) => {
    const { bench } = await faultyLog(context, durability);
    const { log, folder, events } = bench;
    const noticed = (): boolean => events.some(({ event }) => event.includes("moved or deleted"));
    const [segment] = await readSegments(folder);
    assert.ok(segment !== undefined);
    await rename(join(folder, segment.name), join(folder, `moved-${segment.name}`));
    await until("the move to be noticed", async () => {
      bench.clock.advance(100);
      take(bench, 0);
      await log.durable();
      return noticed();
    });
    await rm(join(folder, `moved-${segment.name}`));
    take(bench, 1);
    await log.close();
    assert.deepEqual((await ids(bench)).slice(-1), ["r1"]);
  });
}

test("a disk that does not answer refuses traffic, and takes what waited once it does", async (context) => {
  const clock = new ManualClock(NOW_MS);
  const timers = new ManualTimers(clock);
  const files = new FaultyFiles();
  const gate = Promise.withResolvers<void>();
  const bench = await openLog(context, { durability: "strict" }, { files, clock, timers });
  files.gate = gate.promise;
  take(bench, 0);
  const first = bench.log.durable();
  await new Promise((resolve) => setImmediate(resolve));
  take(bench, 1);
  const second = bench.log.durable();
  timers.advance(9999);
  assert.equal(bench.log.writable(), true);
  timers.advance(1);
  assert.equal(bench.log.writable(), false);
  await assert.rejects(first ?? Promise.resolve(), isAuditFailed);
  await assert.rejects(second ?? Promise.resolve(), isAuditFailed);
  gate.resolve();
  await until("recovery", () => bench.log.writable());
  await bench.log.close();
  assert.deepEqual(await ids(bench), ["r0", "r1"]);
});

test("close() rejects in time when the disk does not answer", async (context) => {
  const clock = new ManualClock(NOW_MS);
  const timers = new ManualTimers(clock);
  const files = new FaultyFiles();
  const gate = Promise.withResolvers<void>();
  const bench = await openLog(context, {}, { files, clock, timers });
  files.gate = gate.promise;
  take(bench, 0);
  const closing = bench.log.close();
  timers.advance(10_000);
  await assert.rejects(closing, isAuditFailed);
  gate.resolve();
});

test("a torn line is left behind and its record begins anew in another file", async (context) => {
  const { bench, files } = await faultyLog(context, "batched");
  files.shortWrite = 1400;
  files.failAfterWrites = 1;
  files.lateFault = systemError("EIO");
  for (let index = 0; index < 3; index++) take(bench, index);
  await until("recovery", () => bench.events.some(({ event }) => event.includes("again")));
  await bench.log.close();
  const [torn, whole] = await readSegments(bench.folder);
  assert.ok(torn !== undefined && whole !== undefined);
  assert.equal(torn.text.length, 1400);
  const kept = torn.text.slice(0, torn.text.lastIndexOf("\n") + 1) + whole.text;
  const found = kept.match(/"requestId":"r\d"/g);
  assert.deepEqual(found, ['"requestId":"r0"', '"requestId":"r1"', '"requestId":"r2"']);
});

test("close() rejects with audit-failed and the number of lost bytes when the disk stays full", async (context) => {
  const { bench, files } = await faultyLog(context, "batched");
  files.room = 0;
  take(bench, 0);
  await assert.rejects(
    bench.log.close(),
    (error) => isAuditFailed(error) && /\d+ bytes/.test(error.message),
  );
  assert.ok(bench.events.some(({ event }) => event === "audit: records are lost"));
});

test("createAuditLog() rejects with audit-failed when the first file cannot be made", async (context) => {
  const files = new FaultyFiles();
  files.faults.set("create", systemError("EROFS"));
  await assert.rejects(openLog(context, {}, { files }), isAuditFailed);
});

async function faultyLog(
  context: TestContext,
  durability: (typeof durabilities)[number],
): Promise<{ bench: Bench; files: FaultyFiles }> {
  const files = new FaultyFiles();
  const input = { durability, flushInterval: "10ms" } as const;
  return { bench: await openLog(context, input, { files }), files };
}

function take({ log }: Bench, index: number): void {
  assert.equal(log.decision(permit({ requestId: `r${index}` })), "recorded");
}

async function ids(bench: Bench): Promise<string[]> {
  const records = await readRecords(bench.folder);
  return records.flatMap((record) => (record.type === "decision" ? [record.requestId] : []));
}

function isAuditFailed(error: unknown): error is SallyportError {
  return error instanceof SallyportError && error.code === "audit-failed";
}
