import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { FetchedPolicies } from "../config/peek-bundle.ts";
import { SallyportError } from "../model/errors.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createPolicyFetching } from "./fetched-policies.ts";

const HASH = `sha256-${"a".repeat(43)}`;
const AWAY = new SallyportError("fetch-failed", "nobody answers");

function ground(t: TestContext) {
  const cache = mkdtempSync(join(tmpdir(), "sallyport-fetching-"));
  t.after(() => rmSync(cache, { recursive: true, force: true }));
  const target = { url: "https://x.example/p", keys: [], cache, hash: undefined, ca: undefined };
  const state = {
    wanted: { target, refreshMs: 30_000 } as FetchedPolicies | undefined,
    outcomes: [] as ("changed" | "same" | Error)[],
    fetched: 0,
    warnings: 0,
    waited: [] as number[],
    planned: undefined as { readonly ms: number; readonly run: () => void } | undefined,
  };
  const keep = (hash = HASH): void => {
    writeFileSync(join(cache, `${hash}.json`), "x");
    writeFileSync(join(cache, "newest.json"), JSON.stringify({ hash, url: target.url }));
  };
  const metrics = createMetrics();
  const quiet = (): void => undefined;
  const fetching = createPolicyFetching({
    timers: {
      after(ms, run) {
        state.planned = { ms, run };
        return () => {
          state.planned = undefined;
        };
      },
    },
    log: { debug: quiet, info: quiet, error: quiet, warn: () => (state.warnings += 1) },
    metrics,
    random: () => 1,
    wanted: () => state.wanted,
    wait: async (ms) => void state.waited.push(ms),
    fetch: async () => {
      state.fetched += 1;
      const outcome = state.outcomes.shift() ?? "same";
      if (outcome instanceof Error) throw outcome;
      if (outcome === "changed") keep(`sha256-${String(state.fetched).padStart(43, "x")}`);
      return outcome;
    },
  });
  /** What the timer would do; resolves when the next one is set. */
  const turn = async (): Promise<void> => {
    const { run } = state.planned ?? assert.fail("nothing is planned");
    state.planned = undefined;
    run();
    for (let tries = 0; state.planned === undefined && tries < 100; tries++)
      await Promise.resolve();
  };
  return { fetching, state, target, turn, keep, metrics };
}

test("ready() fetches where nothing is at hand, and asks nobody where something is", async (t) => {
  const { fetching, state, keep, target } = ground(t);
  state.outcomes = [AWAY, "changed"];
  await fetching.ready();
  assert.deepEqual([state.fetched, state.waited], [2, [1000]]);
  keep();
  await fetching.ready();
  assert.equal(state.fetched, 2);
  state.wanted = { target: { ...target, hash: `sha256-${"b".repeat(43)}` }, refreshMs: 1 };
  await fetching.ready();
  assert.equal(state.fetched, 3);
  state.wanted = undefined;
  await fetching.ready();
  assert.equal(state.fetched, 3);
});

test("ready() gives up where nothing is at hand and nobody answers", async (t) => {
  const { fetching, state } = ground(t);
  state.outcomes = [AWAY, AWAY, AWAY];
  await assert.rejects(fetching.ready(), AWAY);
  assert.deepEqual([state.fetched, state.warnings], [3, 3]);
});

test("follow() tells of another bundle, and goes on after failures, later and later", async (t) => {
  const { fetching, state, turn, metrics } = ground(t);
  let told = 0;
  fetching.follow(async () => {
    told += 1;
    // It does not validate: the reload has said so.
    if (told === 2) throw new SallyportError("policy-invalid", "x");
  });
  assert.equal(state.planned?.ms, 30_000);
  state.outcomes = ["same", "changed", AWAY, AWAY, "changed"];
  await turn();
  assert.equal(told, 0);
  await turn();
  assert.equal(told, 1);
  await turn();
  assert.equal(state.planned.ms, 60_000);
  await turn();
  assert.equal(state.planned.ms, 120_000);
  await turn();
  assert.deepEqual([told, state.planned.ms], [2, 30_000]);
  const text = metrics.render(undefined).body;
  assert.match(text, /sallyport_policy_bundle_fetches_total\{outcome="failed"\} 2/);
  assert.match(text, /sallyport_policy_bundle_fetches_total\{outcome="changed"\} 2/);
  fetching.stop();
  assert.equal(state.planned, undefined);
});

test("follow() tells of what another process has fetched into the same cache", async (t) => {
  const { fetching, turn, keep } = ground(t);
  let told = 0;
  keep();
  await fetching.ready();
  fetching.follow(async () => void (told += 1));
  await turn();
  assert.equal(told, 0);
  keep(`sha256-${"c".repeat(43)}`);
  await turn();
  await turn();
  assert.equal(told, 1);
});

test("follow() goes on where the disk refuses", async (t) => {
  const { fetching, state, turn } = ground(t);
  fetching.follow(async () => assert.fail("nothing has changed"));
  state.outcomes = [Object.assign(new Error("ENOSPC"), { code: "ENOSPC" })];
  await turn();
  assert.equal(state.planned?.ms, 60_000);
});

test("follow() asks for nothing while a hash is named", async (t) => {
  const { fetching, state, turn, target } = ground(t);
  state.wanted = { target: { ...target, hash: HASH }, refreshMs: 1000 };
  fetching.follow(async () => assert.fail("nothing has changed"));
  await turn();
  assert.equal(state.fetched, 0);
});
