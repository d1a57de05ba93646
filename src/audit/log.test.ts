import assert from "node:assert/strict";
import { test } from "node:test";
import {
  completion,
  FaultyFiles,
  ManualTimers,
  NOW_MS,
  openLog,
  permit,
  readRecords,
  readSegments,
  strangerDenial,
  until,
} from "../../test/audit-kit.ts";
import { ANONYMOUS } from "../model/principal.ts";
import { ManualClock } from "../platform/clock.ts";
import type { RecordedEntry, RecordedSummary } from "./record-schema.ts";

test("createAuditLog() writes a decision and its completion as lines of one file", async (context) => {
  const { log, folder } = await openLog(context);
  assert.equal(log.writable(), true);
  assert.equal(log.decision(permit()), "recorded");
  log.completion(completion());
  assert.equal(log.durable(), undefined);
  await log.close();
  const [segment, ...others] = await readSegments(folder);
  assert.deepEqual(others, []);
  assert.match(segment?.name ?? "", /^audit-20261124T040506\.123Z-\d+\.jsonl$/);
  const records = await readRecords(folder);
  assert.deepEqual(
    records.map((record) => record.type),
    ["decision", "completion"],
  );
});

test("createAuditLog() leaves no file when nothing was recorded", async (context) => {
  const { log, folder } = await openLog(context);
  assert.equal((await readSegments(folder)).length, 1);
  await log.close();
  assert.deepEqual(await readSegments(folder), []);
});

test("decision() and completion() are not taken after close(), and that is counted", async (context) => {
  const { log, metrics } = await openLog(context);
  await log.close();
  assert.equal(log.writable(), false);
  assert.equal(log.decision(permit()), "refused");
  log.completion(completion());
  assert.match(metrics.render().body, /^sallyport_audit_lost_total 1$/m);
  assert.match(metrics.render().body, /^sallyport_audit_refused_total 1$/m);
});

test("decision() only counts denials of strangers beyond their rate, and says how many", async (context) => {
  const clock = new ManualClock(NOW_MS);
  const timers = new ManualTimers(clock);
  const unidentified = { perSecond: 2, burst: 3 };
  const { log, folder, metrics } = await openLog(context, { unidentified }, { clock, timers });
  const anonymous = { principal: ANONYMOUS, reason: "no-permit" } as const;
  const taken = [
    ...Array.from({ length: 5 }, () => log.decision(strangerDenial())),
    log.decision(strangerDenial(anonymous)),
    log.decision(permit()),
    log.decision(permit({ principal: ANONYMOUS })),
    log.decision(permit({ decision: "deny", reason: "forbidden" })),
  ];
  const [recorded, summarised] = ["recorded", "summarised"] as const;
  assert.deepEqual(taken.slice(0, 6), [...Array(3).fill(recorded), ...Array(3).fill(summarised)]);
  assert.deepEqual(taken.slice(6), [recorded, recorded, recorded]);
  clock.advance(1000);
  assert.deepEqual(
    Array.from({ length: 3 }, () => log.decision(strangerDenial())),
    [recorded, recorded, summarised],
  );
  timers.advance(20);
  await until("the write", () => /^sallyport_audit_pending_bytes 0$/m.test(metrics.render().body));
  timers.advance(10_000);
  await log.close();
  assert.deepEqual(summaries(await readRecords(folder)), [
    { cause: "rate", count: 3, listener: "edge", reason: "missing-credential" },
    { cause: "rate", count: 1, listener: "edge", reason: "no-permit" },
  ]);
});

test("decision() gives up denials before permits as the disk gets full, and then refuses", async (context) => {
  const clock = new ManualClock(NOW_MS);
  const timers = new ManualTimers(clock);
  const files = new FaultyFiles();
  files.freeBytes = 16 * 1024 * 1024;
  const { log, folder, events } = await openLog(
    context,
    { reserve: "16MiB" },
    { clock, timers, files },
  );
  const identified = permit({ decision: "deny", reason: "forbidden" });
  const all = (): string[] => [
    log.decision(strangerDenial()),
    log.decision(identified),
    log.decision(permit()),
  ];
  const steps: [free: number, taken: string[], logged: number][] = [
    [16, ["recorded", "recorded", "recorded"], 0],
    [15, ["summarised", "recorded", "recorded"], 1],
    [7, ["summarised", "summarised", "recorded"], 2],
    [0.9, ["summarised", "summarised", "refused"], 3],
    [16, ["recorded", "recorded", "recorded"], 4],
  ];
  for (const [free, taken, logged] of steps) {
    files.freeBytes = free * 1024 * 1024;
    timers.advance(1000);
    await until("the look at the disk", () => events.length >= logged);
    assert.deepEqual(all(), taken, `${free} MiB free`);
    log.completion(completion());
  }
  await log.close();
  const records = await readRecords(folder);
  assert.equal(records.filter((record) => record.type === "completion").length, steps.length);
  assert.deepEqual(
    summaries(records).map(({ cause, count, reason }) => `${cause} ${count} ${reason}`),
    [
      "space 2 missing-credential",
      "space 1 forbidden",
      "unwritable 1 missing-credential",
      "unwritable 1 forbidden",
      "unwritable 1 audit-unavailable",
    ],
  );
});

test("decision() refuses while more waits than may wait, and completions are still taken", async (context) => {
  const files = new FaultyFiles();
  const gate = Promise.withResolvers<void>();
  files.gate = gate.promise;
  const { log, folder, metrics } = await openLog(context, {}, { files, maxPending: 4000 });
  let recorded = 0;
  while (log.decision(permit()) === "recorded") recorded += 1;
  assert.ok(recorded >= 4 && recorded < 8, `${recorded}`);
  assert.equal(log.writable(), false);
  log.completion(completion());
  assert.match(metrics.render().body, /^sallyport_audit_writable 0$/m);
  gate.resolve();
  await until("the disk to keep up", () => log.writable());
  assert.equal(log.decision(permit()), "recorded");
  await log.close();
  const records = await readRecords(folder);
  assert.equal(records.filter((record) => record.type === "decision").length, recorded + 1);
  assert.equal(records.filter((record) => record.type === "completion").length, 1);
});

test("decision() refuses a record that is longer than a line may be, and leaves no part of it", async (context) => {
  const { log, folder } = await openLog(context);
  const base = permit().principal;
  assert.ok(base !== undefined);
  const principal = { ...base, attributes: { big: "x".repeat(300_000) } };
  assert.equal(log.decision(permit({ principal })), "refused");
  assert.equal(log.decision(permit({ principal, decision: "deny" })), "summarised");
  assert.equal(log.decision(permit()), "recorded");
  await log.close();
  const types = (await readRecords(folder)).map((record) => record.type);
  assert.deepEqual(types, ["decision", "summary"]);
});

test("createAuditLog() begins a new file when one is full, and loses nothing between them", async (context) => {
  const { log, folder } = await openLog(context, { segment: "64KiB", durability: "strict" });
  for (let index = 0; index < 300; index++) {
    assert.equal(log.decision(permit({ requestId: `r${index}` })), "recorded");
    if (index % 10 === 0) await log.durable();
  }
  await log.close();
  const segments = await readSegments(folder);
  assert.ok(segments.length >= 3, `${segments.length}`);
  for (const { text } of segments) assert.ok(text.length < 64 * 1024 + 20_000);
  const ids = (await readRecords(folder)).map(
    (record) => "requestId" in record && record.requestId,
  );
  assert.deepEqual(
    ids,
    Array.from({ length: 300 }, (_, index) => `r${index}`),
  );
});

test("durable() settles after one sync for all that wait, and only in strict", async (context) => {
  const files = new FaultyFiles();
  const { log } = await openLog(context, { durability: "strict" }, { files });
  const waits = Array.from({ length: 50 }, () => {
    log.decision(permit());
    return log.durable() ?? assert.fail("strict waits");
  });
  await Promise.all(waits);
  assert.equal(files.syncs, 1);
  await log.durable();
  assert.equal(files.syncs, 1);
});

test("durable() waits for the file, and for no sync, where that is asked of a batched log", async (context) => {
  const files = new FaultyFiles();
  const { log, folder } = await openLog(context, { durability: "batched" }, { files });
  log.decision(permit());
  await log.durable("written");
  assert.equal(files.syncs, 0);
  assert.equal((await readRecords(folder)).length, 1);
});

test("durable() waits for a round that is under way, though nobody waited for it before", async (context) => {
  const files = new FaultyFiles();
  const gate = Promise.withResolvers<void>();
  const { log } = await openLog(context, { durability: "strict" }, { files });
  files.gate = gate.promise;
  log.decision(permit());
  const first = log.durable();
  await new Promise((resolve) => setImmediate(resolve));
  let settled = false;
  const second = (async () => {
    await log.durable();
    settled = true;
  })();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(settled, false);
  gate.resolve();
  await Promise.all([first, second]);
});

test("createAuditLog() syncs what it wrote once in each flush interval when batched", async (context) => {
  const clock = new ManualClock(NOW_MS);
  const timers = new ManualTimers(clock);
  const files = new FaultyFiles();
  const { log } = await openLog(context, { flushInterval: "500ms" }, { clock, timers, files });
  for (let index = 0; index < 3; index++) {
    log.decision(permit());
    await until("the write", () => {
      timers.advance(1);
      return files.writes === index + 1;
    });
  }
  assert.equal(files.syncs, 0);
  await until("the sync to be asked for", () => {
    timers.advance(10);
    return files.syncs === 1;
  });
  assert.ok(clock.monotonic() >= 500, "not before its time");
  timers.advance(5000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(files.syncs, 1);
});

test("createAuditLog() writes the canary of a credential in no record and no log line", async (context) => {
  const canary = "canary-7c1f";
  const { log, folder, events } = await openLog(context, { query: { values: "kept" } });
  log.decision(
    permit({
      query: `access_token=${canary}&code=${canary}&x=eyJ${canary}`,
      reads: [{ kind: "header", name: "authorization", values: [`Bearer ${canary}`] }],
    }),
  );
  log.decision(strangerDenial({ query: canary }));
  await log.close();
  const text = (await readSegments(folder)).map((segment) => segment.text).join("");
  assert.equal(text.split("\n").length, 3);
  assert.doesNotMatch(text + JSON.stringify(events), new RegExp(canary));
});

function summaries(records: readonly RecordedEntry[]): RecordedSummary["counts"] {
  return records.flatMap((record) => (record.type === "summary" ? record.counts : []));
}
