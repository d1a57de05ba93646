import assert from "node:assert/strict";
import { test } from "node:test";
import { madeEntry } from "../../test/keys/api-keys.ts";
import { recordedLog } from "../../test/ports.ts";
import { createMemoryStore } from "../../test/store/memory.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createApiKeyUses } from "./api-key-uses.ts";

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const [ONE, TWO] = [madeEntry().id, madeEntry().id];

function scene() {
  const clock = new ManualClock(NOW);
  const timers = new ManualTimers();
  const store = createMemoryStore(clock);
  const log = recordedLog();
  const has = (id: string): boolean => id === ONE || id === TWO;
  const uses = createApiKeyUses({ store, clock, timers, log, has });
  const at = async (id: string) => (await store.get("api-key-uses", id))?.body?.["atMs"];
  return { clock, timers, store, log, uses, at };
}

test("note() writes what it is told a moment later, and of one key only every five minutes", async () => {
  const { clock, store, uses, at } = scene();
  uses.note([{ id: ONE, atMs: NOW - 10 }]);
  uses.note([
    { id: ONE, atMs: NOW - 5 },
    { id: TWO, atMs: NOW - 7 },
  ]);
  assert.equal(await at(ONE), undefined);
  await uses.flush();
  assert.deepEqual([await at(ONE), await at(TWO)], [NOW - 5, NOW - 7]);
  const { number } = await store.now();
  clock.advance(4 * MINUTE);
  uses.note([{ id: ONE, atMs: clock.now() }]);
  await uses.flush();
  assert.equal((await store.now()).number, number);
  clock.advance(MINUTE);
  uses.note([{ id: ONE, atMs: clock.now() }]);
  await uses.close();
  assert.equal(await at(ONE), clock.now());
});

test("note() passes over keys that are not there, what is no id, and times to come", async () => {
  const { store, uses, at } = scene();
  uses.note([
    { id: madeEntry().id, atMs: NOW },
    { id: "../x", atMs: NOW },
    { id: ONE, atMs: NOW + 86_400_000 },
  ]);
  await uses.flush();
  assert.equal(await at(ONE), NOW);
  assert.equal((await store.list("api-key-uses", { limit: 10 })).length, 1);
});

test("note() goes on after the store was away", async () => {
  const { timers, store, log, uses, at } = scene();
  store.away = true;
  uses.note([{ id: ONE, atMs: NOW }]);
  timers.runAll();
  while (log.lines.length === 0) await new Promise(setImmediate);
  assert.match(log.lines.join(), /could not be written/);
  store.away = false;
  uses.note([{ id: ONE, atMs: NOW }]);
  await uses.flush();
  assert.equal(await at(ONE), NOW);
});
