/** A log with the thread that keeps it, as a process alone has them, and what verifies it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { openKeeping, type Keeping } from "../src/app/keeping/keeping.ts";
import { auditSchema, type AuditInput } from "../src/audit/audit-options.ts";
import { createAuditLog, type RunningAuditLog } from "../src/audit/log.ts";
import { segmentsAmong } from "../src/audit/segment-names.ts";
import type { VerifyReport } from "../src/audit/tree/verify/report.ts";
import { verifyLog } from "../src/audit/tree/verify/verify-log.ts";
import { ownKeys } from "../src/cli/audit-verify.ts";
import { systemClock } from "../src/platform/clock.ts";
import { systemTimers } from "../src/platform/timers.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";
import { keepingLog, type LoggedEvent } from "./audit-kit.ts";

export interface KeptLog {
  readonly audit: RunningAuditLog;
  readonly keeping: Keeping;
  readonly lines: LoggedEvent[];
  readonly close: () => Promise<void>;
}

export async function openKeptLog(folder: string, input: Partial<AuditInput>): Promise<KeptLog> {
  const options = auditSchema.parse({
    path: folder,
    reserve: "0B",
    checkpoints: { every: "100ms" },
    ...input,
  });
  const log = keepingLog();
  const deps = { clock: systemClock, timers: systemTimers, log, metrics: createMetrics() };
  const audit = await createAuditLog(options, deps);
  const keeping = await openKeeping(
    { audit: options },
    {
      ...deps,
      events: audit,
    },
  ).catch(async (error: unknown) => {
    await audit.close();
    throw error;
  });
  return {
    audit,
    keeping,
    lines: log.events,
    async close() {
      await keeping.hush();
      await audit.close();
      await keeping.close();
    },
  };
}

/** By its own keys: no witness is asked. */
export async function verified(folder: string): Promise<VerifyReport> {
  return await verifyLog({ folder, keys: ownKeys(folder) });
}

/** Whole lines of all segments, compressed ones too. */
export function linesOf(folder: string): string[] {
  return segmentsAmong(readdirSync(folder)).flatMap(({ file, compressed }) => {
    const bytes = readFileSync(join(folder, file));
    const text = (compressed ? gunzipSync(bytes) : bytes).toString("utf8");
    return text.split("\n").slice(0, -1);
  });
}
