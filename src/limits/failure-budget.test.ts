import assert from "node:assert/strict";
import test from "node:test";
import { recordedMetrics } from "../../test/ports.ts";
import { ManualClock } from "../platform/clock.ts";
import { createFailureBudget, failureBudgetSchema, networkOf } from "./failure-budget.ts";

function fixture(options: object = { burst: 5, perSecond: 2 }) {
  const clock = new ManualClock(1_800_000_000_000);
  const metrics = recordedMetrics();
  let state = 1;
  // A fixed stream, so that the few collisions of a sketch are the same in every run.
  const random = (bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, () => (state = (state * 16_807) % 2_147_483_647) & 0xff);
  const budget = createFailureBudget(failureBudgetSchema.parse(options), {
    clock,
    metrics,
    random,
  });
  const exhaust = (address: string): void => {
    for (let index = 0; index < 5; index++) budget.charge(address);
  };
  return { clock, budget, exhaust, metrics };
}

test("adjust() grants what it says from then on, and forgives nothing", () => {
  const { clock, budget, exhaust } = fixture({ burst: 5, perSecond: 2 });
  exhaust("192.0.2.1");
  // A bucket of five, two a second, is full again in 2.5 s; so it still is, whatever comes now.
  budget.adjust({ burst: 1, perSecond: 1 });
  assert.equal(budget.spent("192.0.2.1"), true);
  clock.advance(2499);
  assert.equal(budget.spent("192.0.2.1"), true);
  clock.advance(1);
  assert.equal(budget.spent("192.0.2.1"), false);
  budget.charge("192.0.2.1");
  assert.equal(budget.spent("192.0.2.1"), true);
  budget.adjust({ burst: 3, perSecond: 1 });
  assert.equal(budget.spent("192.0.2.1"), false);
});

test("failure budget is spent after its burst, and one failure comes back per interval", () => {
  const { clock, budget, metrics } = fixture();
  for (let index = 0; index < 5; index++) {
    assert.equal(budget.spent("192.0.2.1"), false, `after ${index}`);
    budget.charge("192.0.2.1");
  }
  assert.equal(budget.spent("192.0.2.1"), true);
  assert.equal(metrics.value("sallyport_failure_budget_charges"), 5);
  clock.advance(499);
  assert.equal(budget.spent("192.0.2.1"), true);
  clock.advance(1);
  assert.equal(budget.spent("192.0.2.1"), false);
  budget.charge("192.0.2.1");
  assert.equal(budget.spent("192.0.2.1"), true);
});

test("failure budget forgives within one refill, however much was charged beyond it", () => {
  const { clock, budget } = fixture();
  for (let index = 0; index < 1000; index++) budget.charge("192.0.2.1");
  clock.advance(2500);
  for (let index = 0; index < 5; index++) {
    assert.equal(budget.spent("192.0.2.1"), false);
    budget.charge("192.0.2.1");
  }
  assert.equal(budget.spent("192.0.2.1"), true);
});

test("failure budget is each address's own", () => {
  const { budget, exhaust } = fixture();
  exhaust("192.0.2.1");
  assert.equal(budget.spent("192.0.2.1"), true);
  for (const other of ["192.0.2.2", "192.0.2.10", "2001:db8::1"]) {
    assert.equal(budget.spent(other), false);
  }
});

test("failure budget takes an IPv6 /64 for one address, in every spelling", () => {
  const { budget, exhaust } = fixture();
  exhaust("2001:db8:0:7::1");
  for (const same of [
    "2001:db8:0:7:ffff::2",
    "2001:0DB8:0000:0007:1:2:3:4",
    "2001:db8::7:a:b:c:d",
  ]) {
    assert.equal(budget.spent(same), true, same);
  }
  assert.equal(budget.spent("2001:db8:0:8::1"), false);
});

test("networkOf() is the IPv4 address or the first half of the IPv6 address", () => {
  const cases: readonly [address: string, network: string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["::", "0:0:0:0"],
    ["::1", "0:0:0:0"],
    ["1::", "1:0:0:0"],
    ["2001:db8::", "2001:db8:0:0"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["1:2:3::", "1:2:3:0"],
    ["::5:6:7:8", "0:0:0:0"],
  ];
  for (const [address, network] of cases) assert.equal(networkOf(address), network, address);
});

test("failure budget cannot be won back by failing from a million other addresses", () => {
  const { budget, exhaust } = fixture({ burst: 5, perSecond: 0.01 });
  exhaust("192.0.2.1");
  for (let index = 0; index < 1_000_000; index++) {
    budget.charge(`10.${index >>> 16}.${(index >>> 8) & 255}.${index & 255}`);
  }
  assert.equal(budget.spent("192.0.2.1"), true);
});

test("failure budget holds few strangers responsible while ten thousand addresses are spent", () => {
  const { budget, exhaust } = fixture();
  for (let index = 0; index < 10_000; index++) exhaust(`10.0.${index >>> 8}.${index & 255}`);
  let wronged = 0;
  for (let index = 0; index < 20_000; index++) {
    if (budget.spent(`172.16.${index >>> 8}.${index & 255}`)) wronged += 1;
  }
  assert.ok(wronged < 40, `${wronged} of 20000`);
});

test("failure budget's schema refuses what bounds nothing", () => {
  assert.deepEqual(failureBudgetSchema.parse({}), { burst: 100, perSecond: 10 });
  for (const options of [
    { burst: 0 },
    { burst: 1.5 },
    { perSecond: 0 },
    { perSecond: -1 },
    { per: 1 },
  ]) {
    assert.ok(!failureBudgetSchema.safeParse(options).success, JSON.stringify(options));
  }
});
