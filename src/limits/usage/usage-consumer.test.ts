import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { recordedLog, recordedMetrics } from "../../../test/ports.ts";
import { feed, sumOfLog } from "../../../test/usage-kit.ts";
import type { EventRecord } from "../../model/events.ts";
import { ManualClock } from "../../platform/clock.ts";
import type { QuotaStep } from "../../model/quota-steps.ts";
import { createUsageConsumer } from "./usage-consumer.ts";
import { openUsage, readUsage, usageFile } from "./usage-database.ts";
import { usageSchema } from "./usage-options.ts";
import { type Dimension, reportUsage } from "./usage-report.ts";

const NOW = Date.UTC(2026, 10, 30, 23, 50);
const SEGMENT = "audit-20261130T235000.000Z-77.jsonl";

interface Line {
  readonly id?: string;
  readonly who?: string;
  readonly at?: number;
  readonly more?: object;
}

function decision({ id = "d1", who = "ann", at = NOW, more = {} }: Line = {}): string {
  return JSON.stringify({
    decision: "permit",
    decisionId: id,
    listener: "edge",
    method: "GET",
    peerAddress: "192.0.2.1",
    principal: { authenticator: "corp", kind: "user", subject: who },
    reason: "permitted",
    requestId: "r",
    route: "billing",
    service: "billing",
    time: new Date(at).toISOString(),
    type: "decision",
    ...more,
  });
}

function completion(id: string, { at = NOW, bytes = [10, 100] } = {}): string {
  return JSON.stringify({
    decisionId: id,
    durationMs: 1,
    end: "complete",
    requestBytes: bytes[0],
    responseBytes: bytes[1],
    status: 200,
    time: new Date(at).toISOString(),
    type: "completion",
  });
}

function fixture(context: TestContext, options: object = {}) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-usage-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const parsed = usageSchema.parse(options);
  const file = usageFile(parsed, folder);
  const clock = new ManualClock(NOW);
  const events: EventRecord[] = [];
  const log = recordedLog();
  const metrics = recordedMetrics();
  const deps = { clock, log, metrics, events: { event: (one: EventRecord) => events.push(one) } };
  const write = (lines: readonly string[], segment = SEGMENT): void =>
    appendFileSync(join(folder, segment), lines.map((line) => `${line}\n`).join(""));
  const open = () => createUsageConsumer(parsed, folder, deps);
  const report = (by: readonly Dimension[] = ["principal"], only = {}) => {
    const database = readUsage(file);
    try {
      const times = { fromMs: 0, toMs: NOW + 90 * 86_400_000 };
      return reportUsage(database, { ...times, by, only, limit: 100_000 });
    } finally {
      database.close();
    }
  };
  return { folder, file, clock, events, log, metrics, write, open, report };
}

test("the book counts requests in the hour of their decision and bytes in that of their end", (context) => {
  const { folder, write, open, report, file } = fixture(context);
  const late = NOW + 15 * 60_000;
  write([decision(), decision({ id: "d2", more: { usage: { cost: 0.5, plan: "gold" } } })]);
  write([completion("d1"), completion("d2", { at: late }), completion("unknown")]);
  const consumer = open();
  feed(consumer, folder);
  consumer.commit();
  assert.deepEqual(report(["hour", "principal", "plan", "service", "route", "operation"]), [
    {
      group: ["2026-11-30T23Z", "corp/ann", "", "billing", "billing", "GET"],
      requests: 1,
      denied: 0,
      bytesIn: 10,
      bytesOut: 100,
      cost: 1,
    },
    {
      group: ["2026-11-30T23Z", "corp/ann", "gold", "billing", "billing", "GET"],
      requests: 1,
      denied: 0,
      bytesIn: 0,
      bytesOut: 0,
      cost: 0.5,
    },
    {
      group: ["2026-12-01T00Z", "corp/ann", "gold", "billing", "billing", "GET"],
      requests: 0,
      denied: 0,
      bytesIn: 10,
      bytesOut: 100,
      cost: 0,
    },
  ]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(report(["month"])[1]?.group[0], "2026-12");
});

test("what is no request of the principal counts for nobody", (context) => {
  const { folder, write, open, report } = fixture(context);
  write([
    decision({ more: { decision: "deny", reason: "denied" } }),
    decision({ more: { asked: { by: "x", decisionId: "y" } } }),
    decision({ more: { stream: "d0" } }),
    decision({ more: { route: "sallyport-admin" } }),
    decision({ more: { reason: "client-answered" } }),
    decision({ more: { reason: "logged-in", route: undefined } }),
    decision({ more: { principal: { authenticator: "", kind: "anonymous", subject: "" } } }),
    decision({ id: "d9", more: { action: "billing:getInvoice" } }),
  ]);
  const consumer = open();
  feed(consumer, folder, 3);
  consumer.close();
  assert.deepEqual(
    report(["principal", "operation"]).map(({ group, requests }) => [...group, requests]),
    [
      ["anonymous", "GET", 1],
      ["corp/ann", "billing:getInvoice", 1],
    ],
  );
});

test("count: all has denials in a column of their own, strangers and summaries too", (context) => {
  const { folder, write, open, report } = fixture(context, { count: "all" });
  const deny = { decision: "deny", reason: "missing-credential" };
  write([
    decision(),
    decision({ id: "d2", more: { ...deny, reason: "denied" } }),
    completion("d2"),
    decision({ id: "d3", more: { ...deny, principal: undefined } }),
    JSON.stringify({
      counts: [
        { cause: "rate", count: 40, listener: "edge", reason: "no-route" },
        { cause: "rate", count: 2, listener: "edge", reason: "missing-credential" },
      ],
      from: new Date(NOW).toISOString(),
      time: new Date(NOW).toISOString(),
      type: "summary",
    }),
  ]);
  const consumer = open();
  feed(consumer, folder);
  consumer.close();
  assert.deepEqual(
    report().map(({ group, requests, denied, bytesOut }) => [...group, requests, denied, bytesOut]),
    [
      ["corp/ann", 1, 1, 0],
      ["unidentified", 0, 43, 0],
    ],
  );
});

test("a request that ends after a restart, and in another file, has its bytes counted once", (context) => {
  const { folder, write, open, report } = fixture(context);
  write([decision(), decision({ id: "d2" })]);
  const first = open();
  feed(first, folder);
  first.close();
  write([completion("d1")], "audit-20261130T235100.000Z-77.jsonl");
  const second = open();
  feed(second, folder);
  second.commit();
  // Not again, whoever says it.
  write([completion("d1")], "audit-20261130T235100.000Z-77.jsonl");
  feed(second, folder);
  second.commit();
  write([completion("d1"), completion("d2")], "audit-20261130T235100.000Z-77.jsonl");
  feed(second, folder);
  second.close();
  const [row] = report();
  assert.deepEqual([row?.requests, row?.bytesIn, row?.bytesOut], [2, 20, 200]);
});

test("what was not committed is read again, what was is not", (context) => {
  const { folder, write, open, report, file } = fixture(context);
  for (let index = 0; index < 50; index++)
    write([decision({ id: `d${index}` }), completion(`d${index}`)]);
  for (let died = 0; died < 10; died++) {
    const consumer = open();
    const most = died + 1;
    const whole = feed(consumer, folder, most);
    assert.ok(whole > 0);
    // Dies without a commit.
  }
  const consumer = open();
  feed(consumer, folder);
  consumer.commit();
  consumer.commit();
  feed(consumer, folder);
  consumer.close();
  assert.deepEqual(
    report().map(({ requests, bytesOut }) => [requests, bytesOut]),
    [[50, 5000]],
  );
  assert.equal(open().position(SEGMENT), statSync(join(folder, SEGMENT)).size);
  const other = open();
  assert.throws(
    () =>
      other.take({
        segment: SEGMENT,
        offset: 0,
        bytes: new Uint8Array(),
        count: 0,
        entries: () => [],
      }),
    /counted up to/,
  );
  openUsage(file).close();
});

test("what the disk does not take is kept and written later", (context) => {
  const { folder, write, open, report, file, log } = fixture(context);
  write([decision(), completion("d1")]);
  const consumer = open();
  feed(consumer, folder);
  const other = openUsage(file);
  other.exec("ALTER TABLE usage RENAME TO away");
  consumer.commit();
  consumer.commit();
  write([decision({ id: "d2" }), completion("d2")]);
  feed(consumer, folder);
  other.exec("ALTER TABLE away RENAME TO usage");
  other.close();
  consumer.commit();
  assert.deepEqual(
    report().map(({ requests, bytesOut }) => [requests, bytesOut]),
    [[2, 200]],
  );
  assert.equal(log.lines.filter((line) => line.includes("cannot be written")).length, 1);
  consumer.close();
});

test("hours older than keep are removed, and files that are gone are forgotten", (context) => {
  const { folder, write, open, report, clock } = fixture(context, { keep: "30d" });
  write([decision({ at: NOW - 40 * 86_400_000 }), decision({ id: "d2", who: "bob" })]);
  const consumer = open();
  feed(consumer, folder);
  consumer.ended({ segment: SEGMENT, bytes: 0, tornBytes: 0 });
  consumer.commit();
  assert.equal(report().length, 2);
  consumer.tick(clock.now());
  assert.deepEqual(
    report().map(({ group }) => group),
    [["corp/bob"]],
  );
  assert.ok(consumer.position(SEGMENT) > 0, "the file is still there");
  rmSync(join(folder, SEGMENT));
  consumer.tick(clock.now() + 3_600_000);
  assert.equal(consumer.position(SEGMENT), 0);
  consumer.close();
});

const PLANS = {
  plans: {
    free: { quota: { requests: 10, per: "day" }, warnAt: "50%" },
    big: { quota: { bytes: 1000, cost: 100, per: "month" } },
  },
};

test("a warning is said once for each principal and period, also after a restart", (context) => {
  const { folder, write, open, events, clock, metrics } = fixture(context, PLANS);
  const ask = (id: string, who: string, plan: string, at = NOW): string =>
    decision({ id, who, at, more: { usage: { plan } } });
  const tick = (consumer: ReturnType<typeof open>): void => {
    for (let index = 0; index < 5; index++) consumer.tick(clock.now());
  };
  let consumer = open();
  write(["1", "2", "3", "4"].map((id) => ask(id, "ann", "free")));
  feed(consumer, folder);
  tick(consumer);
  assert.equal(events.length, 0);
  consumer.close();
  consumer = open();
  write([ask("5", "ann", "free"), ask("6", "ann", "free"), ask("b", "bob", "big")]);
  write([completion("b", { bytes: [500, 299] })]);
  feed(consumer, folder);
  tick(consumer);
  assert.equal(events.length, 1);
  assert.deepEqual(events[0], {
    timeMs: NOW,
    event: "quota-warning",
    detail: '50 % of the quota of plan "free" is used in this day',
    principal: "corp/ann",
    figures: { from: "2026-11-30T00:00:00.000Z", period: "day", plan: "free" },
  });
  assert.equal(metrics.value("sallyport_quota_warnings free"), 1);
  // As the log then has it; another process has read that far when it dies.
  const { timeMs, ...said } = events[0] ?? { timeMs: 0 };
  write([JSON.stringify({ ...said, time: new Date(timeMs).toISOString(), type: "event" })]);
  feed(consumer, folder);
  consumer.close();
  consumer = open();
  write([ask("7", "ann", "free")]);
  feed(consumer, folder);
  tick(consumer);
  assert.equal(events.length, 1);
  // Bytes that come later reach the share of another plan; the next day begins anew.
  write([ask("b2", "bob", "big"), completion("b2", { bytes: [0, 1] })]);
  clock.advance(3_600_000);
  write(Array.from({ length: 5 }, (_, index) => ask(`n${index}`, "ann", "free", NOW + 3_600_000)));
  feed(consumer, folder);
  tick(consumer);
  assert.deepEqual(
    events.slice(1).map(({ principal, figures }) => [principal, figures?.["from"]]),
    [["corp/ann", "2026-12-01T00:00:00.000Z"]],
    "bob's month is over",
  );
  consumer.close();
});

test("a refusal says that a quota is used up, once", (context) => {
  const { folder, write, open, events, clock } = fixture(context, PLANS);
  const consumer = open();
  const more = { decision: "deny", reason: "quota-exceeded", usage: { plan: "free" } };
  write([
    decision({ more }),
    decision({ id: "d2", more }),
    decision({ id: "d3", who: "bob", more }),
  ]);
  feed(consumer, folder);
  for (let index = 0; index < 5; index++) consumer.tick(clock.now());
  assert.deepEqual(
    events.map(({ event, principal }) => [event, principal]),
    [
      ["quota-exceeded", "corp/ann"],
      ["quota-exceeded", "corp/bob"],
    ],
  );
  consumer.close();
});

test("sums of ten thousand principals are those of the log", (context) => {
  const { folder, write, open, report } = fixture(context);
  for (let part = 0; part < 10; part++) {
    const lines: string[] = [];
    for (let index = 0; index < 2000; index++) {
      const number = part * 2000 + index;
      const id = `d${number}`;
      const at = NOW + number * 1000;
      lines.push(decision({ id, who: `p${number % 10_000}`, at }));
      lines.push(completion(id, { at: at + 500, bytes: [number, number * 3] }));
    }
    write(lines);
  }
  const consumer = open();
  feed(consumer, folder, 1000);
  consumer.close();
  const rows = report(["principal", "plan", "service", "route", "operation", "hour"]);
  const expected = sumOfLog(folder);
  assert.equal(rows.length, expected.size);
  for (const { group, requests, bytesIn, bytesOut, cost } of rows) {
    assert.deepEqual({ requests, bytesIn, bytesOut, cost }, expected.get(group.join(" ")));
  }
});

test("what ended processes let through beyond the book is told to quotas, and no more than that", (context) => {
  const gold = { more: { usage: { cost: 2, plan: "free" } } };
  const dead = "audit-20261130T230000.000Z-999999999.jsonl";
  const own = `audit-20261130T230000.000Z-${process.pid}.jsonl`;
  const { folder, write, clock, events, log, metrics } = fixture(context);
  write([decision({ id: "a", ...gold })], dead);
  const told: (readonly QuotaStep[])[] = [];
  const open = () =>
    createUsageConsumer(usageSchema.parse(PLANS), folder, {
      clock,
      log,
      metrics,
      events: { event: (one) => events.push(one) },
      earlier: (steps) => told.push(steps),
    });
  const first = open();
  feed(first, folder);
  first.close();
  told.length = 0;
  write([decision({ id: "b", ...gold }), completion("a"), completion("b")], dead);
  write([decision({ id: "c", ...gold })], own);
  const second = open();
  write([decision({ id: "d", ...gold })], "audit-20261130T235900.000Z-999999999.jsonl");
  feed(second, folder);
  second.close();
  const day = Date.UTC(2026, 10, 30);
  assert.deepEqual(told, [
    [
      ["corp/ann", "day", day, 1, 220, 2000],
      ["corp/ann", "month", Date.UTC(2026, 10, 1), 1, 220, 2000],
    ],
  ]);
});

test("a line that is no record is left out, and the others are counted once", (context) => {
  const { folder, write, open, report, metrics } = fixture(context, { count: "all" });
  write([
    decision(),
    JSON.stringify({ type: "decision", decision: "permit", reason: "permitted", route: "a" }),
    JSON.stringify({ type: "summary" }),
    JSON.stringify({ type: "decision", decision: "permit", time: "soon", route: "a" }),
    completion("d1"),
  ]);
  const consumer = open();
  feed(consumer, folder);
  consumer.close();
  assert.deepEqual(
    report().map(({ group, requests, bytesOut }) => [...group, requests, bytesOut]),
    [["corp/ann", 1, 100]],
  );
  assert.equal(metrics.value("sallyport_usage_uncounted"), 2);
});
