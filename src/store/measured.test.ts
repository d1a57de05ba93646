import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "../model/errors.ts";
import { ManualClock } from "../platform/clock.ts";
import { recordedMetrics } from "../../test/ports.ts";
import { measured } from "./measured.ts";
import type { OpenStore } from "./store-deps.ts";

test("measured() times verbs, counts failures by code, and changes nothing of either", async () => {
  const clock = new ManualClock(0);
  const metrics = recordedMetrics();
  const failure = new SallyportError("store-unavailable", "away");
  const inner = {
    now: async () => {
      clock.advance(250);
      return { number: 1, timeMs: 2 };
    },
    get: async () => {
      clock.advance(500);
      throw failure;
    },
  } as unknown as OpenStore;
  const store = measured(inner, { clock, metrics });
  assert.deepEqual(await store.now(), { number: 1, timeMs: 2 });
  await assert.rejects(store.get("facts", "a"), failure);
  assert.equal(metrics.value("sallyport_store_seconds now"), 0.25);
  assert.equal(metrics.value("sallyport_store_seconds get"), 0.5);
  assert.equal(metrics.value("sallyport_store_failures_total get store-unavailable"), 1);
  assert.equal(metrics.value("sallyport_store_failures_total now store-unavailable"), 0);
});

test("measured() shows verbs that have not ended", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const inner = { epoch: () => promise } as unknown as OpenStore;
  let inFlight = (): number => assert.fail("not registered");
  const metrics = {
    ...recordedMetrics(),
    sampled: (_name: string, _help: string, read: () => number) => (inFlight = read),
  };
  const store = measured(inner, { clock: new ManualClock(0), metrics });
  const asked = store.epoch();
  assert.equal(inFlight(), 1);
  resolve("e");
  await asked;
  assert.equal(inFlight(), 0);
});
