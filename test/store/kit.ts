/** What tests of the store start from. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openStore } from "../../src/store/open-store.ts";
import type { OpenStore, StoreDeps } from "../../src/store/store-deps.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemTimers } from "../../src/platform/timers.ts";
import { type RecordedLog, recordedLog, recordedMetrics } from "../ports.ts";

export function storeDeps(log: RecordedLog = recordedLog()): StoreDeps {
  return { clock: systemClock, timers: systemTimers, log, metrics: recordedMetrics() };
}

/** Opens handles that are closed when the test ends. */
export function opener(
  t: TestContext,
  url: string,
  deps: () => StoreDeps = storeDeps,
): () => Promise<OpenStore> {
  const opened: OpenStore[] = [];
  t.after(async () => {
    await Promise.all(opened.map((store) => store.close()));
  });
  return async () => {
    const store = await openStore(url, deps());
    opened.push(store);
    return store;
  };
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-store-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
