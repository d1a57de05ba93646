/**
 * What the register looks like as a whole, as metrics, and a line in the log once a day for machines
 * that nobody has seen in a month: an identity that is not used is one that nobody would miss when it
 * is stolen. Counted every quarter of an hour from one page after another, so that it costs the store
 * little and holds nobody up; several authorities each count for themselves.
 */
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import { type Workload, WORKLOAD_STATES, type WorkloadRegister } from "../../model/workloads.ts";

const LIMITS = {
  /** The first count comes early, so that a fresh process shows figures. */
  firstMs: 10_000,
  everyMs: 15 * 60_000,
  page: 500,
  unusedMs: 30 * 86_400_000,
  sayEveryMs: 86_400_000,
  /** Names in the line of the log; `sallyport workloads list --unused 30d` has all. */
  named: 20,
} as const;

export interface WorkloadReport {
  /** Counts now. Rejects as the store does. */
  count(): Promise<void>;
  close(): void;
}

export function createWorkloadReport(deps: {
  readonly list: WorkloadRegister["list"];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
}): WorkloadReport {
  const { clock, timers, log, metrics } = deps;
  let figures = emptyFigures();
  let saidMs = Number.NEGATIVE_INFINITY;
  metrics.sampledEach("sallyport_workloads", "Machines that the register knows, by state.", {
    labels: ["state"],
    read: () => WORKLOAD_STATES.map((state) => ({ labels: [state], value: figures.states[state] })),
  });
  metrics.sampled(
    "sallyport_workloads_unused",
    "Machines that were enrolled, are not disabled, and were not seen in 30 days.",
    () => figures.unused.length,
  );
  metrics.sampled(
    "sallyport_workloads_suspicious",
    "Machines of which a key that had been replaced was used again.",
    () => figures.suspicious,
  );

  async function count(): Promise<void> {
    const counted = emptyFigures();
    const unusedSinceMs = clock.now() - LIMITS.unusedMs;
    for (let after: string | undefined, more = true; more;) {
      const { workloads, next } = await deps.list({ after, limit: LIMITS.page });
      for (const workload of workloads) countOne(counted, workload, unusedSinceMs);
      after = next;
      more = next !== undefined;
    }
    figures = counted;
    if (counted.unused.length === 0 || clock.now() - saidMs < LIMITS.sayEveryMs) return;
    saidMs = clock.now();
    log.warn("workloads: machines that nobody has seen in 30 days; disable or remove them", {
      count: counted.unused.length,
      names: counted.unused.slice(0, LIMITS.named).join(" "),
    });
  }

  let callOff = timers.after(LIMITS.firstMs, again);
  function again(): void {
    callOff = timers.after(LIMITS.everyMs, again);
    count().catch((error: unknown) => {
      log.warn("workloads: they could not be counted", {
        error: error instanceof Error ? error : undefined,
      });
    });
  }

  return {
    count,
    close: () => callOff(),
  };
}

interface Figures {
  readonly states: Record<Workload["state"], number>;
  readonly unused: string[];
  suspicious: number;
}

function emptyFigures(): Figures {
  const states = Object.fromEntries(WORKLOAD_STATES.map((state) => [state, 0]));
  return { states: states as Figures["states"], unused: [], suspicious: 0 };
}

function countOne(figures: Figures, workload: Workload, unusedSinceMs: number): void {
  const { name, state, seenMs, createdMs, suspicion } = workload;
  figures.states[state] += 1;
  if (suspicion !== undefined) figures.suspicious += 1;
  // Who is disabled is dealt with, and who never came has nothing that could be stolen.
  const counts = state === "enrolled" || state === "expired";
  if (counts && (seenMs ?? createdMs) < unusedSinceMs) figures.unused.push(name);
}
