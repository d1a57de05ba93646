import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  keepingLog,
  openLog,
  permit,
  readRecords,
  temporaryFolder,
  until,
  type LoggedEvent,
} from "../../../test/audit-kit.ts";
import { auditSchema } from "../../audit/audit-options.ts";
import type { RunningAuditLog } from "../../audit/log.ts";
import { SallyportError } from "../../model/errors.ts";
import { systemClock } from "../../platform/clock.ts";
import { systemTimers } from "../../platform/timers.ts";
import { createMetrics } from "../../telemetry/metrics.ts";
import { renderFamilies } from "../../telemetry/exposition.ts";
import { type Keeping, openKeeping } from "./keeping.ts";

const ENTRY = new URL("../../../test/keeping-entry.ts", import.meta.url);

interface Bench {
  readonly audit: RunningAuditLog;
  readonly folder: string;
}

async function log(context: TestContext, name = "audit"): Promise<Bench> {
  const folder = join(await temporaryFolder(context), name);
  const { log: audit } = await openLog(context, {}, { folder, clock: systemClock });
  return { audit, folder };
}

interface Kept {
  readonly keeping: Keeping;
  readonly events: LoggedEvent[];
  readonly counts: () => Promise<string>;
}

async function keep(context: TestContext, { audit, folder }: Bench, entry?: URL): Promise<Kept> {
  const line = keepingLog();
  const metrics = createMetrics();
  const keeping = await openKeeping(
    { audit: auditSchema.parse({ path: folder, reserve: "0B" }) },
    {
      clock: systemClock,
      timers: systemTimers,
      log: line,
      metrics,
      events: audit,
      ...(entry === undefined ? {} : { entry }),
    },
  );
  context.after(() => keeping.close());
  const counts = async (): Promise<string> =>
    renderFamilies([...metrics.families(), ...(await keeping.families())], true);
  return { keeping, events: line.events, counts };
}

test("openKeeping() reads the log in a thread, to its end when it is closed, and says what that counts", async (context) => {
  const bench = await log(context);
  const { keeping, events, counts } = await keep(context, bench, ENTRY);
  assert.equal(keeping.state, "running");
  bench.audit.decision(permit());
  await until("the first record", async () => /^test_taken_total 1$/m.test(await counts()));
  assert.match(await counts(), /^sallyport_audit_keeper\{state="running"\} 1$/m);
  for (let index = 0; index < 100; index++) bench.audit.decision(permit());
  await keeping.hush();
  await bench.audit.close();
  await keeping.close();
  assert.match(await counts(), /^test_taken_total 101$/m);
  const own = events.filter(({ event }) => event.startsWith("test: "));
  assert.deepEqual(
    own.map(({ event }) => event),
    ["test: committed", "test: closed"],
  );
  const { error } = own[0]?.fields ?? {};
  assert.ok(error instanceof Error && error.cause instanceof Error);
  assert.equal(`${error.message}: ${error.cause.message}`, "a cause: deeper");
});

test("the thread's events are records of the log that it reads", async (context) => {
  const bench = await log(context);
  await keep(context, bench, ENTRY);
  bench.audit.decision(permit({ requestId: "event" }));
  await until("the event", async () =>
    (await readRecords(bench.folder)).some(({ type }) => type === "event"),
  );
});

test("a thread that dies is started again and goes on; the log is written meanwhile", async (context) => {
  const bench = await log(context);
  const { keeping, events, counts } = await keep(context, bench, ENTRY);
  bench.audit.decision(permit({ requestId: "die" }));
  await until("its death", () => keeping.state === "down");
  assert.equal(keeping.trouble, "the thread that keeps the log is down");
  assert.equal(bench.audit.decision(permit()), "recorded");
  await until("its next start", () => keeping.state === "running");
  assert.match(await counts(), /^sallyport_audit_keeper_restarts_total 1$/m);
  assert.ok(
    events.some(({ level, event }) => level === "error" && /ended and is started/.test(event)),
  );
});

test("a consumer that fails is told in readiness and counts; nothing else ends", async (context) => {
  const bench = await log(context);
  const { keeping, counts } = await keep(context, bench, ENTRY);
  bench.audit.decision(permit({ requestId: "fail" }));
  await until("its failure", () => keeping.trouble === "failing: test");
  assert.match(await counts(), /^sallyport_audit_consumer_failing\{consumer="test"\} 1$/m);
  assert.equal(keeping.state, "running");
});

test("openKeeping() rejects with what keeps a consumer from its work, and leaves the folder to others", async (context) => {
  const bench = await log(context, "audit-refused");
  await assert.rejects(keep(context, bench, ENTRY), (error) => {
    assert.ok(error instanceof SallyportError);
    assert.equal(error.code, "audit-failed");
    assert.match(error.message, /contradicts itself/);
    return true;
  });
  const { keeping } = await keep(context, bench);
  assert.equal(keeping.state, "running");
});

test("one thread keeps a folder at a time; who waits takes over when the other ends", async (context) => {
  const bench = await log(context);
  const first = await keep(context, bench, ENTRY);
  const second = await keep(context, bench, ENTRY);
  assert.deepEqual([first.keeping.state, second.keeping.state], ["running", "waiting"]);
  assert.equal(second.keeping.trouble, "another process keeps this folder");
  await first.keeping.close();
  await until("the turn of the second", () => second.keeping.state === "running");
  bench.audit.decision(permit());
  await until("a record", async () => /^test_taken_total 1$/m.test(await second.counts()));
});
