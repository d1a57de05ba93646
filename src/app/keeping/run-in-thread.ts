/** The thread that keeps the log, seen from within: opens the consumers, runs the loop, answers who started it. */
import type { MessagePort } from "node:worker_threads";
import { Archive } from "../../audit/archive/archive.ts";
import { TornReports } from "../../audit/archive/torn-reports.ts";
import { SallyportError } from "../../model/errors.ts";
import type { QuotaStep } from "../../model/quota-steps.ts";
import type { RecordConsumer } from "../../model/record-feed.ts";
import { systemClock } from "../../platform/clock.ts";
import { systemTimers } from "../../platform/timers.ts";
import { createMetrics } from "../../telemetry/metrics.ts";
import type { KeepingConfig, KeepingDeps } from "./consumers.ts";
import { startKeeper, type Keeper } from "./keeper.ts";
import type { FromKeeping, ToKeeping } from "./protocol.ts";
import { createSentLog } from "./sent-log.ts";

/** What the thread is started with. */
export interface KeepingTask {
  readonly config: KeepingConfig;
}

export type CreateConsumers = (
  config: KeepingConfig,
  deps: KeepingDeps,
) => Promise<readonly RecordConsumer[]>;

/** Settles when the loop has ended. Rejects with a fault of it, which ends the thread. */
export async function runInThread(
  port: MessagePort,
  { config }: KeepingTask,
  create: CreateConsumers,
): Promise<void> {
  const metrics = createMetrics();
  let usedElsewhere: (steps: readonly QuotaStep[]) => void = () => undefined;
  const send = (message: FromKeeping): void => port.postMessage(message);
  const deps: KeepingDeps = {
    clock: systemClock,
    timers: systemTimers,
    log: createSentLog((line) => send({ kind: "log", ...line })),
    metrics,
    events: { event: (record) => send({ kind: "event", record }) },
    hearUsedElsewhere: (take) => (usedElsewhere = take),
    tell: (news) => send({ kind: "news", news }),
  };
  const opened = open();
  port.on("message", (message: ToKeeping) => {
    switch (message.kind) {
      case "report":
        send({ kind: "report", seq: message.seq, families: metrics.families() });
        break;
      case "used-elsewhere":
        usedElsewhere(message.steps);
        break;
      case "close":
        void opened.then(end);
        break;
    }
  });
  await (
    await opened
  )?.ended;

  /** Undefined where it was refused. */
  async function open(): Promise<Keeper | undefined> {
    try {
      const consumers = await create(config, deps);
      const torn = TornReports.open(config.audit.path, deps);
      send({ kind: "ready" });
      const { path, checkpoints, compressAfter, keep } = config.audit;
      const archive = new Archive(
        {
          folder: path,
          compressAfterMs: compressAfter === "never" ? undefined : compressAfter,
          keepMs: keep,
        },
        deps,
      );
      return startKeeper(
        { folder: path, consumers, commitMs: checkpoints.every, archive, torn },
        { ...deps, failing: (names) => deps.tell({ topic: "failing", consumers: names }) },
      );
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      // An error that crosses to another thread loses its class, so its parts go.
      send({ kind: "refused", code: error.code, message: error.message });
      return undefined;
    }
  }

  async function end(keeper: Keeper | undefined): Promise<void> {
    await keeper?.close();
    send({ kind: "report", seq: 0, families: metrics.families() });
    port.close();
  }
}
