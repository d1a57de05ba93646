/** All sinks of a log, for the thread that keeps it: each at its own pace, none waited for. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../../model/errors.ts";
import type { EventLog } from "../../model/events.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import type { RecordConsumer } from "../../model/record-feed.ts";
import type { ExchangeTls } from "../../platform/bounded-exchange.ts";
import { FolderSource } from "./folder-source.ts";
import { createOtlpSink } from "./otlp.ts";
import { Positions, readPositions, writePositions } from "./positions.ts";
import { Pump } from "./pump.ts";
import type { RecordSource } from "./record-source.ts";
import type { Sink } from "./sink.ts";
import { registerSinkMetrics } from "./sink-metrics.ts";
import type { SinkOptions } from "./sink-options.ts";
import { createStdoutSink } from "./stdout.ts";
import { createWebhookSink } from "./webhook.ts";

export interface SinksDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventLog;
  readonly random: () => number;
  /** Of the product. */
  readonly version: string;
  /** Tells processes apart that write to one receiver. */
  readonly instance: string;
}

/** Folder of the positions, in the log's. */
const FOLDER = "sinks";

/**
 * Starts them. Rejects with SallyportError `audit-failed` where a position or a file of authorities
 * cannot be read. They read the log by themselves, so they ask for none of what consumers are given.
 */
export async function openSinks(
  options: { readonly path: string; readonly sinks: readonly SinkOptions[] },
  deps: SinksDeps,
): Promise<RecordConsumer> {
  const pumps: Pump[] = [];
  for (const one of options.sinks) pumps.push(await openPump(options.path, one, deps));
  for (const pump of pumps) pump.start();
  return {
    name: "sinks",
    position: () => Number.MAX_SAFE_INTEGER,
    take: () => undefined,
    tick() {
      for (const pump of pumps) pump.tick();
    },
    async close() {
      await Promise.all(pumps.map((pump) => pump.close()));
    },
  };
}

async function openPump(folder: string, options: SinkOptions, deps: SinksDeps): Promise<Pump> {
  const path = join(folder, FOLDER, `${options.name}.json`);
  const source = new FolderSource(folder, deps);
  const sink = await createSink(options, deps);
  const positions = (await readPositions(path)) ?? (await firstPositions(options, source));
  // Kept at once: what comes from here on is not to be missed by a crash right after.
  await writePositions(path, positions);
  const metrics = registerSinkMetrics(deps.metrics, options.name);
  return new Pump({ options, sink, source, positions, path }, { ...deps, metrics });
}

async function firstPositions({ from }: SinkOptions, source: RecordSource): Promise<Positions> {
  const positions = new Positions();
  if (from === "beginning") return positions;
  const { segments } = await source.list(new Set());
  for (const { segment, bytes, final, compressed } of segments) {
    if (final || compressed) positions.finish(segment);
    else positions.set(segment, await source.lineStart(segment, bytes));
  }
  return positions;
}

async function createSink(options: SinkOptions, deps: SinksDeps): Promise<Sink> {
  const { type } = options;
  if (type === "stdout") return createStdoutSink(deps);
  if (options.insecureHttp) {
    deps.log.warn("an insecure option is on", { sink: options.name, option: "insecureHttp" });
  }
  const tls = await trust(options.ca);
  if (type === "otlp") return createOtlpSink(options, { ...deps, tls });
  return createWebhookSink(options, { ...deps, tls });
}

async function trust(file: string | undefined): Promise<ExchangeTls> {
  if (file === undefined) return {};
  try {
    return { ca: await readFile(file, "utf8") };
  } catch (cause) {
    throw new SallyportError("audit-failed", `audit: ${file} cannot be read`, { cause });
  }
}
