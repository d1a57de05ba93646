/** A process that is killed at any point leaves a book that says what the log says, once it is caught up. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createUsageConsumer } from "../src/limits/usage/usage-consumer.ts";
import { readUsage, usageFile } from "../src/limits/usage/usage-database.ts";
import { usageSchema } from "../src/limits/usage/usage-options.ts";
import { reportUsage } from "../src/limits/usage/usage-report.ts";
import { systemClock } from "../src/platform/clock.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";
import { keepingLog, temporaryFolder } from "./audit-kit.ts";
import { feed, sumOfLog } from "./usage-kit.ts";

const reader = fileURLToPath(new URL("usage-crash-reader.ts", import.meta.url));

/** After so many rounds the process is killed. */
const KILL_AFTER = [1, 2, 3, 5, 8, 13, 30, 75];

test("usage is what the log says after kill -9 at many points", async (context) => {
  const folder = join(await temporaryFolder(context), "audit");
  for (const [seed, rounds] of KILL_AFTER.entries()) {
    await killedAfter(rounds, [folder, String(seed + 1)]);
    const { counted, expected } = compared(folder);
    assert.deepEqual(counted, expected, `after ${rounds} rounds`);
  }
  assert.ok(sumOfLog(folder).size > 5);
});

function compared(folder: string) {
  const deps = {
    clock: systemClock,
    log: keepingLog(),
    metrics: createMetrics(),
    events: { event: () => undefined },
  };
  const options = usageSchema.parse({});
  const consumer = createUsageConsumer(options, folder, deps);
  feed(consumer, folder);
  consumer.close();
  const database = readUsage(usageFile(options, folder));
  try {
    const rows = reportUsage(database, {
      fromMs: 0,
      toMs: Date.now() + 86_400_000,
      by: ["principal", "plan", "service", "route", "operation", "hour"],
      limit: 100_000,
    });
    const counted = rows.map(({ group, requests, bytesIn, bytesOut, cost }) => [
      group.join(" "),
      { requests, bytesIn, bytesOut, cost },
    ]);
    const byName = ([one]: readonly unknown[], [other]: readonly unknown[]): number =>
      String(one) < String(other) ? -1 : 1;
    return {
      counted: counted.toSorted(byName),
      expected: [...sumOfLog(folder)].toSorted(byName),
    };
  } finally {
    database.close();
  }
}

async function killedAfter(rounds: number, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, reader, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout })) {
    if (Number(line) + 1 >= rounds) break;
  }
  child.kill("SIGKILL");
  const [, signal] = (await ended) as [number | null, string | null];
  assert.equal(signal, "SIGKILL");
}
