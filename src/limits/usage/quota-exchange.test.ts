import assert from "node:assert/strict";
import test from "node:test";
import { recordedLog, recordedMetrics } from "../../../test/ports.ts";
import type { CommonQuotas, QuotaEntry } from "../../model/common-quotas.ts";
import { SallyportError } from "../../model/errors.ts";
import type { Principal } from "../../model/principal.ts";
import type { QuotaUse } from "../../model/quota-steps.ts";
import { HOUR_MS } from "./periods.ts";
import { QuotaExchange } from "./quota-exchange.ts";
import { QuotaMeter } from "./quota-meter.ts";
import { usageSchema } from "./usage-options.ts";

const START = Date.UTC(2026, 10, 27, 5);
const ANN = principal("ann");

function principal(subject: string): Principal {
  const none = { roles: [], groups: [], attributes: {} };
  return { kind: "user", authenticator: "corp", subject, ...none };
}

/** The contract of `CommonQuotas`, with what can happen to a question. */
class Common {
  sums = new Map<string, QuotaUse>();
  batches = new Map<string, number>();
  next: "answered" | "away" | "unanswered" = "answered";
  asked = 0;

  lose(): void {
    this.sums.clear();
    this.batches.clear();
  }

  of(who: string): CommonQuotas {
    return {
      add: async (number, entries) => {
        this.asked += 1;
        const { next } = this;
        this.next = "answered";
        if (next === "away") throw new SallyportError("memory-unavailable", "away");
        const last = this.batches.get(who) ?? -1;
        const fresh = number > last;
        this.batches.set(who, number);
        const uses = entries.map((entry) => this.#add(entry, fresh));
        if (next === "unanswered") throw new SallyportError("memory-unavailable", "no answer");
        return await Promise.resolve({ last, uses });
      },
    };
  }

  #add({ step, known }: QuotaEntry, fresh: boolean): QuotaUse {
    const [id, period, start, ...added] = step;
    const name = `${id} ${period} ${start}`;
    const stored = this.sums.get(name) ?? { requests: 0, bytes: 0, cost: 0 };
    const part = (of: keyof QuotaUse, more = 0): number =>
      fresh ? Math.max(0, Math.max(stored[of], known[of]) + more) : stored[of];
    const [requests, bytes, cost] = added;
    const all = {
      requests: part("requests", requests),
      bytes: part("bytes", bytes),
      cost: part("cost", cost),
    };
    this.sums.set(name, all);
    return all;
  }
}

function machine(name: string, common: Common, quota: object = { requests: 10, per: "hour" }) {
  let now = START;
  const log = recordedLog();
  const plans = { plans: { free: { quota } }, plan: { default: "free" } };
  const meter = new QuotaMeter(usageSchema.parse(plans), { log, metrics: recordedMetrics() });
  const clock = { now: () => now, monotonic: () => now };
  const timers = { after: () => () => undefined };
  const exchange = new QuotaExchange(meter, {
    clock,
    timers,
    log,
    common: common.of(name),
    heard: (steps) => meter.merge(steps, now),
  });
  const ask = (who = ANN, cost = 1): boolean =>
    meter.take(meter.account(who, now), cost, now)?.refused === undefined;
  return {
    meter,
    exchange,
    log,
    ask,
    /** How many of so many are let through. */
    asks: (times: number) => Array.from({ length: times }, () => ask()).filter(Boolean).length,
    giveBack: () => meter.giveBack(meter.account(ANN, now), 1, now),
    used: () => meter.known("corp/ann", "hour", START)?.requests,
    at: (ms: number) => (now = ms),
  };
}

test("what machines let through counts on each of them after a round", async () => {
  const common = new Common();
  const [one, two] = [machine("one", common), machine("two", common)];
  assert.equal(one.asks(6), 6);
  await one.exchange.round();
  assert.equal(two.asks(1), 1, "two does not know yet");
  await two.exchange.round();
  assert.equal(two.used(), 7);
  assert.equal(two.asks(9), 3, "of ten seven are used");
  await two.exchange.round();
  assert.equal(one.asks(1), 1, "one has not heard of it");
  await one.exchange.round();
  assert.equal(one.asks(1), 0);
  assert.equal(one.used(), 11);
  assert.equal(common.asked, 4);
  await one.exchange.round();
  assert.equal(common.asked, 4, "who has nothing to say asks nothing");
});

test("what is given back is there for all", async () => {
  const common = new Common();
  const [one, two] = [machine("one", common), machine("two", common)];
  one.asks(2);
  await one.exchange.round();
  one.giveBack();
  await one.exchange.round();
  two.asks(1);
  await two.exchange.round();
  assert.equal(two.used(), 2);
});

test("while there is no answer each counts by itself, and what it let through is said later, once", async () => {
  const common = new Common();
  const [one, two] = [machine("one", common), machine("two", common)];
  for (const next of ["away", "unanswered", "away"] as const) {
    one.asks(2);
    common.next = next;
    await one.exchange.round();
  }
  assert.equal(one.asks(9), 4, "of ten six were used here");
  await one.exchange.round();
  two.asks(1);
  await two.exchange.round();
  assert.equal(two.used(), 11, "ten and its own: what had no answer was not added twice");
  assert.deepEqual(
    one.log.lines.map((line) => line.replace(/ \{.*/, "")),
    [
      "warn quotas across machines: not counted in common; each machine counts by itself",
      "info quotas across machines: counted in common again",
    ],
  );
});

test("what is lost in common is made good by what each machine knows", async () => {
  const common = new Common();
  const [one, two] = [machine("one", common), machine("two", common)];
  one.asks(4);
  await one.exchange.round();
  two.asks(3);
  await two.exchange.round();
  one.asks(1);
  await one.exchange.round();
  assert.equal(one.used(), 8);
  common.lose();
  two.asks(1);
  await two.exchange.round();
  one.asks(1);
  await one.exchange.round();
  assert.equal(one.used(), 9, "the larger of eight and what two has said, and its own");
  assert.ok(one.log.lines.some((line) => line.includes("sums were lost")));
  two.asks(2);
  await two.exchange.round();
  assert.equal(two.asks(9), 0);
});

test("who has used up a quota finds it used up also where sums were lost and nobody lets it through", async () => {
  const common = new Common();
  const one = machine("one", common);
  one.asks(12);
  await one.exchange.round();
  common.lose();
  await one.exchange.round();
  assert.equal(common.sums.size, 0, "it asks now and then only");
  one.at(START + 6000);
  await one.exchange.round();
  assert.equal(common.sums.get(`corp/ann hour ${START}`)?.requests, 10);
  const fresh = machine("fresh", common);
  fresh.asks(1);
  await fresh.exchange.round();
  assert.equal(fresh.asks(5), 0);
});

test("a machine that is started again counts what it did before once", async () => {
  const common = new Common();
  const one = machine("one", common);
  one.asks(5);
  await one.exchange.round();
  const again = machine("one again", common);
  // Its book lacked the last two, which it finds in the log after its first request.
  again.meter.merge([["corp/ann", "hour", START, 3, 0, 3000]], START);
  again.asks(1);
  await again.exchange.round();
  assert.equal(again.used(), 6);
  const late = [["corp/ann", "hour", START, 2, 0, 2000]] as const;
  assert.deepEqual(again.exchange.missing(late), [], "it is in what all have used");
  const other = [["corp/bob", "hour", START, 2, 0, 2000]] as const;
  assert.deepEqual(again.exchange.missing(other), other);
});

test("bytes and cost count in common too, in each period", async () => {
  const common = new Common();
  const quota = { cost: 10, bytes: 100, per: "month" };
  const [one, two] = [machine("one", common, quota), machine("two", common, quota)];
  assert.equal(one.ask(ANN, 9.5), true);
  one.meter.began("d1", one.meter.account(ANN, START));
  one.meter.ended("d1", 60, START);
  await one.exchange.round();
  assert.equal(two.ask(ANN, 0.5), true);
  await two.exchange.round();
  assert.equal(two.ask(ANN, 0.5), false);
  const month = Date.UTC(2026, 10, 1);
  const { requests, bytes, cost } = two.meter.known("corp/ann", "month", month) ?? {};
  assert.deepEqual({ requests, bytes, cost }, { requests: 2, bytes: 60, cost: 10_000 });
});

test("what is over is not said, and many principals go in batches", async () => {
  const common = new Common();
  const one = machine("one", common);
  one.asks(1);
  one.at(START + HOUR_MS);
  await one.exchange.round();
  assert.equal(common.asked, 0);
  for (let index = 0; index < 1200; index++) one.ask(principal(`p${index}`));
  await one.exchange.round();
  assert.equal(common.asked, 3);
  assert.equal(common.sums.size, 1200);
});

test("close() says what is left, and ends with it also where nobody answers", async () => {
  const common = new Common();
  const one = machine("one", common);
  one.asks(3);
  await one.exchange.close();
  assert.equal(common.sums.get(`corp/ann hour ${START}`)?.requests, 3);
  one.asks(1);
  common.next = "away";
  await one.exchange.close();
});
