import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedLog } from "../../test/ports.ts";
import type { SigningAlgorithm } from "../model/signing.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createLocalKeys } from "./local-keys.ts";

const HOUR = 3_600_000;

function ring(known?: (kid: string) => boolean) {
  const clock = new ManualClock(Date.UTC(2026, 5, 1));
  const timers = new ManualTimers();
  const log = recordedLog();
  let algorithm: SigningAlgorithm = "EdDSA";
  const keys = createLocalKeys({ clock, timers, log, algorithm: () => algorithm, known });
  assert.deepEqual(keys.published(), []);
  keys.current();
  const pass = (hours: number): void => {
    for (let step = 0; step < hours * 4; step++) {
      clock.advance(HOUR / 4);
      timers.runAll();
    }
  };
  return { clock, timers, keys, pass, use: (next: SigningAlgorithm) => (algorithm = next) };
}

test("a ring signs at once, with one key, and says so", () => {
  const { keys } = ring();
  const { kid } = keys.current();
  assert.deepEqual(
    keys.published().map((key) => [key.kid, key.use, key.algorithm]),
    [[kid, "assertions", "EdDSA"]],
  );
  assert.equal(keys.published()[0]?.jwk["d"], undefined);
});

test("a key is published before it signs and until nothing that it signed is alive", () => {
  const { keys, clock, pass } = ring();
  const everSigned = new Map<string, number>();
  const published = new Map<string, number>();
  for (let hour = 0; hour < 24 * 5; hour++) {
    const { kid } = keys.current();
    for (const key of keys.published()) {
      if (!published.has(key.kid)) published.set(key.kid, clock.now());
    }
    if (!everSigned.has(kid)) {
      everSigned.set(kid, clock.now());
      const aheadMs = clock.now() - (published.get(kid) ?? Number.NaN);
      if (everSigned.size > 1) assert.ok(aheadMs >= HOUR, `${aheadMs}`);
    }
    assert.ok(keys.published().some((key) => key.kid === kid));
    pass(1);
  }
  assert.ok(everSigned.size >= 5);
  assert.ok(keys.published().length <= 3);
});

test("a key that nobody knows yet is not signed with, unless there is no other", () => {
  const known = new Set<string>();
  const { keys, pass } = ring((kid) => known.has(kid));
  const first = keys.current().kid;
  known.add(first);
  // Its successor is made, and not published by whom it should be: the first goes on.
  pass(30);
  assert.equal(keys.current().kid, first);
  const next = keys.published().find(({ kid }) => kid !== first);
  assert.ok(next);
  assert.ok(keys.keys().every(({ published }) => published.kid === first));
  known.add(next.kid);
  pass(1);
  assert.equal(keys.current().kid, next.kid);
});

test("a ring has a key whatever the clock does", () => {
  const { keys, clock, timers } = ring();
  for (const ms of [-400 * 24 * HOUR, 800 * 24 * HOUR, -1000, 5 * HOUR]) {
    clock.advance(ms);
    assert.ok(keys.current().kid);
    timers.runAll();
    const { kid } = keys.current();
    assert.ok(
      keys.published().some((key) => key.kid === kid),
      String(ms),
    );
  }
});

test("the first key is made when it is first asked for", () => {
  const clock = new ManualClock(Date.UTC(2026, 5, 1));
  let algorithm: SigningAlgorithm = "EdDSA";
  const keys = createLocalKeys({
    clock,
    timers: new ManualTimers(),
    log: recordedLog(),
    algorithm: () => algorithm,
  });
  algorithm = "ES256";
  assert.equal(keys.current().algorithm, "ES256");
});

test("the next key is of the algorithm that is asked for then", () => {
  const { keys, pass, use } = ring();
  use("ES256");
  pass(24);
  assert.deepEqual(
    keys.published().map(({ algorithm }) => algorithm),
    ["EdDSA", "ES256"],
  );
});

test("a ring that is closed does nothing more", () => {
  const { keys, timers } = ring();
  keys.close();
  assert.deepEqual(timers.delays, []);
});
