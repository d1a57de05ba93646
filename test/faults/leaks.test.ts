/**
 * Five thousand exchanges of which most fail, in two batches: the second leaves no more behind than
 * the first. Sockets, callers' connections and memory are counted from outside, and each request has
 * one decision and one completion in the log.
 */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import { type Counts, countsOf, countsOnce, COUNTS_ABSENT, metricOf } from "./counts.ts";
import { startFaultStage } from "./fault-stage.ts";
import { mixedExchange } from "./mixed.ts";

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

const stage = await startFaultStage();
after(() => stage.close());

async function batch(first: number): Promise<Counts> {
  let next = first;
  const lane = async (): Promise<void> => {
    while (next < first + LIMITS.batch) {
      next += 1;
      await mixedExchange(stage.proxy, next - 1);
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
