/**
 * Five thousand exchanges of which most fail, in two batches: the second leaves no more behind than
 * the first. Sockets, callers' connections and memory are counted from outside, and each request has
 * one decision and one completion in the log.
 */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import { requestBytes } from "../e2e/stage.ts";
import { type Counts, countsOf, countsOnce, COUNTS_ABSENT, metricOf } from "./counts.ts";
import { startFaultStage } from "./fault-stage.ts";
import { RogueCaller } from "./rogue-caller.ts";
import type { FaultName } from "./rogue-service.ts";

const LIMITS = {
  batch: 2500,
  /** Exchanges in flight. */
  width: 40,
  /**
   * Bytes by which the process may grow from the end of the first batch to that of the second. What
   * leaked 16 KB an exchange (a read buffer is 64) would grow it by 40 MB; what the collectors leave
   * lying about was 13 at most.
   */
  growth: 32 * 1024 * 1024,
} as const;

/** Each ends at once: what waits for a timeout is in service-faults.test.ts. */
const SERVICES: readonly FaultName[] = [
  "fine",
  "closes-at-once",
  "resets-at-once",
  "closes-in-head",
  "closes-in-body",
  "closes-in-chunks",
  "garbage",
  "floods-interim",
  "two-answers",
  "bent-chunks",
  "endless-head",
];

const stage = await startFaultStage();
after(() => stage.close());

/** Some callers wait for the end, some leave when they have sent, some break their request. */
const CALLERS: readonly ((caller: RogueCaller, path: string) => Promise<void>)[] = [
  async (caller, path) => {
    caller.send(requestBytes(path, ["Connection: close"]));
    await caller.closed();
  },
  async (caller, path) => {
    caller.send(requestBytes(path, ["Connection: close"]));
    await caller.closed();
  },
  async (caller, path) => {
    caller.send(requestBytes(path, ["X-Filler: ".padEnd(2000, "f")]));
    await new Promise(setImmediate);
    caller.leave("reset");
  },
  async (caller, path) => {
    caller.send(
      `POST ${path} HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\nzz\r\n`,
    );
    await caller.closed();
  },
];

async function exchange(index: number): Promise<void> {
  const caller = await RogueCaller.open(stage.proxy);
  const service = SERVICES[index % SERVICES.length] ?? "fine";
  const play = CALLERS[index % CALLERS.length];
  await play?.(caller, index % 50 === 7 ? `/refusing/${index}` : `/fault/${service}/${index}`);
}

async function batch(first: number): Promise<Counts> {
  let next = first;
  const lane = async (): Promise<void> => {
    while (next < first + LIMITS.batch) {
      next += 1;
      await exchange(next - 1);
    }
  };
  await Promise.all(Array.from({ length: LIMITS.width }, lane));
  return countsOnce(
    stage,
    ({ sockets, connections }) => connections === 0 && sockets <= before.sockets,
  );
}

const before = await countsOf(stage);

test("thousands of failed exchanges leave nothing behind", { skip: COUNTS_ABSENT }, async (t) => {
  const first = await batch(0);
  const second = await batch(LIMITS.batch);
  t.diagnostic(JSON.stringify({ before, first, second }));
  for (const counts of [first, second]) {
    assert.equal(counts.connections, 0);
    assert.ok(counts.sockets <= before.sockets, JSON.stringify({ before, counts }));
    assert.ok(counts.descriptors <= before.descriptors + 1, JSON.stringify({ before, counts }));
  }
  const growth = second.resident - first.resident;
  assert.ok(growth < LIMITS.growth, `${growth} bytes more after the second batch`);
  assert.equal(stage.rogue.open, 0);
  assert.equal(await metricOf(stage, "sallyport_audit_lost_total"), 0);
});

test("each of them has one decision and one completion in the log", async () => {
  // A caller that left before its head was read has made no request.
  const begun = await stage.endings([]);
  const endings = await stage.endings([...begun.keys()]);
  const own = [...endings].filter(([path]) => /^\/(?:fault|refusing)\//.test(path));
  assert.ok(own.length > LIMITS.batch * 1.4, `${own.length} requests in the log`);
  const odd = own.filter(([, { decisions, ends }]) => decisions.length !== 1 || ends.length !== 1);
  assert.deepEqual(odd, []);
});
