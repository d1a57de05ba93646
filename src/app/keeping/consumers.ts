/**
 * Who reads the records while they are written: one line each. They run in a thread of their own (of a
 * supervisor, for all of its workers), so nothing here costs the way of a request anything. Each is loaded
 * where the configuration has it: most processes have none but the sealer.
 */
import { hostname } from "node:os";
import { segmentSizes } from "../../audit/segment-sizes.ts";
import type { SinksDeps } from "../../audit/sinks/sinks.ts";
import type { Config } from "../../config/schema.ts";
import type { UsageOptions } from "../../limits/usage/usage-options.ts";
import type { EventLog } from "../../model/events.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import type { QuotaStep } from "../../model/quota-steps.ts";
import type { RecordConsumer } from "../../model/record-feed.ts";
import type { AccessLogDeps } from "../../telemetry/access-log/access-log.ts";
import { productVersion } from "../../platform/version.ts";
import type { SignsDeps } from "../../telemetry/signs/signs.ts";
import type { KeepingNews } from "./protocol.ts";
import { createWitnessedSealer } from "./witnessed-sealer.ts";

/** Of the configuration, what the thread is started with. */
export type KeepingConfig = Pick<Config, "audit" | "usage" | "accessLog" | "signs">;

export interface KeepingDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Writes events into the log that is being read. */
  readonly events: EventLog;
  /** Takes who is told what other machines let through. */
  readonly hearUsedElsewhere: (take: (steps: readonly QuotaStep[]) => void) => void;
  /** Says something to the process that serves; protocol.ts has the topics. */
  readonly tell: (news: KeepingNews) => void;
}

/** In the order in which they are given each batch. Throws what keeps one of them from its work. */
export async function createConsumers(
  config: KeepingConfig,
  deps: KeepingDeps,
): Promise<readonly RecordConsumer[]> {
  const { audit, usage, accessLog, signs } = config;
  const { path, sinks } = audit;
  const consumers: RecordConsumer[] = [await createWitnessedSealer(audit, deps)];
  if (usage !== undefined) consumers.push(await openUsageConsumer(usage, path, deps));
  if (signs !== undefined) {
    const { createSigns } = await import("../../telemetry/signs/signs.ts");
    consumers.push(createSigns(signs, path, signsDeps(deps)));
  }
  if (accessLog !== undefined) {
    const { openAccessLog } = await import("../../telemetry/access-log/access-log.ts");
    consumers.push(await openAccessLog(accessLog, accessDeps(path, deps)));
  }
  if (sinks.length > 0) {
    const { openSinks } = await import("../../audit/sinks/sinks.ts");
    consumers.push(await openSinks(audit, sinksDeps(deps)));
  }
  return consumers;
}

function accessDeps(folder: string, deps: KeepingDeps): AccessLogDeps {
  return { ...deps, folder, segments: async () => await segmentSizes(folder) };
}

function signsDeps(deps: KeepingDeps): SignsDeps {
  return {
    ...deps,
    random: Math.random,
    answer: (answer) => deps.tell({ topic: "answer", answer }),
  };
}

async function openUsageConsumer(
  usage: UsageOptions,
  folder: string,
  deps: KeepingDeps,
): Promise<RecordConsumer> {
  const { createUsageConsumer } = await import("../../limits/usage/usage-consumer.ts");
  const earlier = (steps: readonly QuotaStep[]): void => deps.tell({ topic: "quotas", steps });
  const consumer = createUsageConsumer(usage, folder, { ...deps, earlier });
  deps.hearUsedElsewhere((steps) => consumer.usedElsewhere(steps));
  return consumer;
}

function sinksDeps(deps: KeepingDeps): SinksDeps {
  return {
    ...deps,
    random: Math.random,
    version: productVersion(),
    instance: `${hostname()}-${process.pid}`,
  };
}
