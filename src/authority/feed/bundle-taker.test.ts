import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { keptLog } from "../../../test/authority/feed-kit.ts";
import { ManualTimers } from "../../platform/timers.ts";
import { createMetrics } from "../../telemetry/metrics.ts";
import { BundleTaker } from "./bundle-taker.ts";
import { bundleHash, FeedStateFile } from "./feed-state-file.ts";

interface Scene {
  readonly taker: BundleTaker;
  readonly timers: ManualTimers;
  /** What is to be had, by hash; what is not there is refused. */
  readonly shelf: Map<string, Uint8Array>;
  readonly taken: string[];
  readonly log: ReturnType<typeof keptLog>;
  fetches: number;
}

async function scene(t: TestContext): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-bundle-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = new FeedStateFile(folder);
  await file.read();
  const timers = new ManualTimers();
  const shelf = new Map<string, Uint8Array>();
  const taken: string[] = [];
  const log = keptLog();
  const made: Scene = {
    timers,
    shelf,
    taken,
    log,
    fetches: 0,
    taker: new BundleTaker({
      file,
      fetch(hash) {
        made.fetches += 1;
        const bytes = shelf.get(hash);
        return bytes === undefined ? Promise.reject(new Error("away")) : Promise.resolve(bytes);
      },
      take: (_hash, bytes) => Promise.resolve(void taken.push(Buffer.from(bytes).toString())),
      taken() {},
      timers,
      random: () => 1,
      log,
      metrics: createMetrics(),
    }),
  };
  return made;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

const [one, two] = [Buffer.from("one"), Buffer.from("two")];

test("BundleTaker.want() tries again, ever more seldom, until somebody has it", async (t) => {
  const { taker, timers, shelf, taken } = await scene(t);
  taker.want(bundleHash(one));
  await until(() => timers.delays.length === 1);
  assert.deepEqual([...timers.delays], [1000]);
  assert.equal(taker.state, "fetching");
  timers.runAll();
  await until(() => timers.delays.length === 1);
  assert.deepEqual([...timers.delays], [2000]);
  shelf.set(bundleHash(one), one);
  timers.runAll();
  await until(() => taker.state === "running");
  assert.deepEqual(taken, ["one"]);
});

test("BundleTaker.want() takes nothing that is another bundle than the one that is named", async (t) => {
  const { taker, timers, shelf, taken, log } = await scene(t);
  shelf.set(bundleHash(one), two);
  taker.want(bundleHash(one));
  await until(() => timers.delays.length === 1);
  assert.deepEqual(taken, []);
  assert.match(log.said.join(), /cannot be had now/);
});

test("BundleTaker.want() forgets one that is no longer named, and asks once for what it has", async (t) => {
  const made = await scene(t);
  const { taker, timers, shelf, taken } = made;
  taker.want(bundleHash(one));
  await until(() => timers.delays.length === 1);
  shelf.set(bundleHash(two), two);
  taker.want(bundleHash(two));
  assert.deepEqual([...timers.delays], []);
  await until(() => taker.state === "running");
  const { fetches } = made;
  taker.want(bundleHash(two));
  assert.equal(made.fetches, fetches);
  assert.deepEqual(taken, ["two"]);
  taker.close();
  taker.want(bundleHash(one));
  assert.equal(made.fetches, fetches);
});
