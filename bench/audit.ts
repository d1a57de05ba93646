/**
 * What a request's two records cost on the thread that serves requests: serialised, appended, handed
 * to the disk. Then how many decisions a second `strict` takes with group commit.
 *
 * `tools/with-runtime node bench/audit.ts` and the same with `bun`. Runs for some seconds.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { auditSchema } from "../src/audit/audit-options.ts";
import { createAuditLog, type RunningAuditLog } from "../src/audit/log.ts";
import { createQueryMask } from "../src/audit/query-mask.ts";
import { Lines } from "../src/audit/lines.ts";
import { Serializer } from "../src/audit/serialize.ts";
import { createValueHash } from "../src/audit/value-hash.ts";
import { systemClock } from "../src/platform/clock.ts";
import { createLog } from "../src/telemetry/log.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";
import { completion, permit } from "../test/audit-kit.ts";

const REQUESTS = 200_000;
const PRINCIPALS = 1000;
const decisions = Array.from({ length: PRINCIPALS }, (_, index) => {
  const base = permit({ path: `/billing/records/${index}`, peerPort: 20_000 + index });
  if (base.principal === undefined) throw new TypeError("a permit has a principal");
  return { ...base, principal: { ...base.principal, subject: `payments-${index}` } };
});
const ended = completion();

const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
try {
  const runtime = process.versions["bun"] === undefined ? "node" : "bun";
  const rounds = Array.from({ length: 8 }, serialiseNs);
  console.log(`${runtime} serialise: ${Math.min(...rounds)} ns CPU per request, best of 8`);
  for (let round = 0; round < 3; round++) console.log(`${runtime} batched: ${await batched()}`);
  console.log(`${runtime} strict: ${await strict()}`);
} finally {
  rmSync(folder, { recursive: true });
}

function serialiseNs(): number {
  const serializer = new Serializer({
    maskQuery: createQueryMask({ values: "masked", keep: [] }),
    hash: createValueHash(new Uint8Array(32)),
  });
  const lines = new Lines();
  const cpu = process.cpuUsage();
  for (let index = 0; index < REQUESTS; index++) {
    const decision = decisions[index % PRINCIPALS];
    if (decision === undefined) continue;
    serializer.decision(lines, decision, false);
    lines.end();
    serializer.completion(lines, ended);
    lines.end();
    if (lines.size > 250_000) lines.rollback(0);
  }
  return Math.round(cpuUs(cpu) * 1000);
}

/** CPU time, because the machine may be shared. */
function cpuUs(since: NodeJS.CpuUsage): number {
  const used = process.cpuUsage(since);
  return (used.user + used.system) / REQUESTS;
}

async function batched(): Promise<string> {
  const log = await open("batched");
  // 25 requests a millisecond: the rate that the proxy reaches on one core.
  const cpu = process.cpuUsage();
  let busyMs = 0;
  let done = 0;
  while (done < REQUESTS) {
    const started = performance.now();
    for (let index = 0; index < 250; index++) record(log, done++);
    busyMs += performance.now() - started;
    await new Promise((resolve) =>
      setTimeout(resolve, Math.max(0, 10 - (performance.now() - started))),
    );
  }
  await log.close();
  return `${((busyMs * 1000) / REQUESTS).toFixed(2)} µs per request on the thread, ${cpuUs(cpu).toFixed(2)} µs CPU of the whole process`;
}

async function strict(): Promise<string> {
  const log = await open("strict");
  const waits: number[] = [];
  const started = performance.now();
  const one = async (client: number): Promise<void> => {
    for (let index = 0; index < 100; index++) {
      const began = performance.now();
      record(log, client);
      await log.durable();
      waits.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: 64 }, (_, client) => one(client)));
  const seconds = (performance.now() - started) / 1000;
  await log.close();
  waits.sort((a, b) => a - b);
  const at = (share: number): string => (waits[Math.floor(waits.length * share)] ?? 0).toFixed(2);
  return `${Math.round(waits.length / seconds)} decisions/s by 64 callers, wait p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

function record(log: RunningAuditLog, index: number): void {
  const decision = decisions[index % PRINCIPALS];
  if (decision === undefined || log.decision(decision) !== "recorded") throw new Error("refused");
  log.completion(ended);
}

function open(durability: "batched" | "strict"): Promise<RunningAuditLog> {
  const options = auditSchema.parse({ path: join(folder, durability), durability, reserve: "0B" });
  const log = createLog({ level: "warn", clock: systemClock });
  return createAuditLog(options, { clock: systemClock, log, metrics: createMetrics() });
}
