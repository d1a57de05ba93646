import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import { SallyportError } from "../model/errors.ts";
import { recordedLog } from "../../test/ports.ts";
import type { SqlConnection, SqlRow, Statement } from "./postgres-client.ts";
import { PostgresNotices } from "./postgres-notices.ts";

/** A server that holds one counter, and who listens to it. */
function stage() {
  const waiting = new Map<number, { readonly ms: number; readonly run: () => void }>();
  let ids = 0;
  const state = {
    number: 0,
    away: false,
    swallows: false,
    changes: 0,
    /** Connections that listen now, and how many there ever were. */
    listeners: new Set<{ notified(payload: string): void; lost(): void }>(),
    connected: 0,
  };
  const log = recordedLog();
  const notices = new PostgresNotices(
    {
      use: async <T>(run: (sql: SqlConnection) => Promise<T>) => {
        await turn();
        if (state.away) throw new SallyportError("store-unavailable", "away");
        return await run({ query });
      },
      listen: async (_channel, on) => {
        await turn();
        if (state.away) throw new SallyportError("store-unavailable", "away");
        state.connected += 1;
        state.listeners.add(on);
        return () => void state.listeners.delete(on);
      },
    },
    {
      log,
      timers: {
        after: (ms, run) => {
          const id = (ids += 1);
          waiting.set(id, { ms, run });
          return () => void waiting.delete(id);
        },
      },
    },
    () => (state.changes += 1),
  );
  function notify(payload: string): void {
    if (!state.swallows) for (const listener of state.listeners) listener.notified(payload);
  }
  async function query({ name, values = [] }: Statement): Promise<readonly SqlRow[]> {
    if (name === "sallyport-now") return [[state.number, 0, "epoch"]];
    assert.equal(name, "sallyport-notify");
    notify(String(values[0]));
    return [];
  }
  return {
    state,
    log,
    notices,
    notify,
    delays: () => [...waiting.values()].map(({ ms }) => ms).toSorted((a, b) => a - b),
    /** Runs what waits for at most so long, and lets it have its effects. */
    pass: async (mostMs: number) => {
      const due = [...waiting].filter(([, { ms }]) => ms <= mostMs);
      for (const [id, { run }] of due) {
        waiting.delete(id);
        run();
      }
      for (let turns = 0; turns < 10; turns += 1) await turn();
    },
  };
}

test("PostgresNotices polls slowly once its own probe has arrived, and tells of notifications", async () => {
  const { state, notices, notify, delays, pass } = stage();
  notices.start();
  notices.start();
  await pass(0);
  assert.deepEqual([state.connected, state.listeners.size], [1, 1]);
  await pass(200);
  assert.deepEqual(delays(), [5000, 30_000]);
  const before = state.changes;
  notify("");
  assert.equal(state.changes, before + 1);
  notify("probe-of-somebody-else");
  assert.equal(state.changes, before + 1);
  // The slow poll finds what no notification told.
  state.number = 1;
  await pass(5000);
  assert.equal(state.changes, before + 2);
  await pass(5000);
  assert.equal(state.changes, before + 2);
  notices.stop();
  assert.deepEqual([delays(), state.listeners.size], [[], 0]);
});

test("PostgresNotices polls often while its probe does not arrive, and tries again later", async () => {
  const { state, log, notices, delays, pass } = stage();
  state.swallows = true;
  notices.start();
  await pass(0);
  assert.deepEqual(delays(), [200, 2000]);
  await pass(2000);
  assert.deepEqual([delays(), state.listeners.size], [[200, 30_000], 0]);
  assert.equal(log.lines.filter((line) => line.startsWith("warn")).length, 1);
  const before = state.changes;
  state.number = 1;
  await pass(200);
  assert.equal(state.changes, before + 1);
  await pass(30_000);
  await pass(2000);
  assert.equal(log.lines.filter((line) => line.startsWith("warn")).length, 1, "said once");
  state.swallows = false;
  await pass(30_000);
  await pass(200);
  assert.deepEqual(delays(), [5000, 30_000]);
  notices.stop();
});

test("PostgresNotices notices a connection that is dead without a word", async () => {
  const { state, notices, delays, pass } = stage();
  notices.start();
  await pass(0);
  await pass(200);
  state.swallows = true;
  await pass(30_000);
  assert.deepEqual(delays(), [2000, 5000]);
  await pass(2000);
  assert.deepEqual([delays(), state.listeners.size], [[200, 30_000], 0]);
  notices.stop();
});

test("PostgresNotices comes back after a loss, one connection and one poll at a time", async () => {
  const { state, notices, delays, pass } = stage();
  notices.start();
  await pass(0);
  for (let round = 0; round < 5; round += 1) {
    state.away = true;
    const [listener] = state.listeners;
    state.listeners.clear();
    listener?.lost();
    await pass(0);
    const [, retry = 0] = delays();
    assert.equal(delays().length, 2);
    assert.ok(retry >= 125 && retry <= 250, String(retry));
    for (const _ of [1, 2, 3, 4, 5, 6, 7]) await pass(4999);
    assert.ok(Math.max(...delays()) <= 5000);
    state.away = false;
    const before = state.changes;
    await pass(5000);
    await pass(200);
    assert.ok(state.changes > before, "what was committed meanwhile is told");
    assert.deepEqual([delays(), state.listeners.size], [[5000, 30_000], 1]);
  }
  notices.stop();
});

test("PostgresNotices leaves nothing behind when it is stopped while it connects", async () => {
  const { state, notices, delays, pass } = stage();
  for (let round = 0; round < 3; round += 1) {
    notices.start();
    notices.stop();
  }
  notices.start();
  await pass(0);
  await pass(200);
  assert.deepEqual([delays(), state.listeners.size], [[5000, 30_000], 1]);
  notices.stop();
  await pass(0);
  assert.deepEqual([delays(), state.listeners.size], [[], 0]);
});
