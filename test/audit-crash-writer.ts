/**
 * A process to be killed: writes decisions into the folder that it is given and says on stdout which
 * ones are durable. Used by audit-crash.test.ts.
 */
import { auditSchema } from "../src/audit/audit-options.ts";
import { createAuditLog } from "../src/audit/log.ts";
import { systemClock } from "../src/platform/clock.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";
import { keepingLog, permit } from "./audit-kit.ts";

const [, , path = "", durability = ""] = process.argv;
const log = await createAuditLog(auditSchema.parse({ path, durability, reserve: "0B" }), {
  clock: systemClock,
  log: keepingLog(),
  metrics: createMetrics(),
});

async function work(worker: number): Promise<void> {
  for (let index = 0; ; index++) {
    const requestId = `${worker}-${index}`;
    if (log.decision(permit({ requestId, timeMs: Date.now() })) !== "recorded") continue;
    await (log.durable() ?? new Promise((resolve) => setImmediate(resolve)));
    process.stdout.write(`${requestId}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, (_, worker) => work(worker)));
