/**
 * Figures of this process, under the names that dashboards know (Prometheus' conventions for
 * process collectors), and the delay of the event loop, which is what a busy proxy shows first.
 */
import type { Metrics } from "../model/ports.ts";
import { systemTimers } from "../platform/timers.ts";

const LIMITS = {
  /** Milliseconds between looks at the event loop's delay: fine enough to see a stall, too rare to cost. */
  lagMs: 500,
} as const;

/** The process as it is; a test turns it by hand. */
export interface ProcessView {
  /** Resident memory in bytes. */
  rss(): number;
  /** CPU seconds, user and system. */
  cpuSeconds(): number;
  /** Timers that wait, those of connections apart. */
  timers(): number;
  /** Seconds since the epoch at which the process started. */
  startedAt(): number;
  /** Milliseconds on a clock that never goes back. */
  monotonic(): number;
  /** Calls `run` every `ms`; the returned function ends that. */
  every(ms: number, run: () => void): () => void;
}

export const systemProcess: ProcessView = Object.freeze({
  rss: () => process.memoryUsage.rss(),
  cpuSeconds() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
  timers: () => systemTimers.waiting,
  startedAt: () => Date.now() / 1000 - process.uptime(),
  monotonic: () => performance.now(),
  every(ms: number, run: () => void) {
    const timer = setInterval(run, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
});

/** Registers the figures; the returned function ends the look at the event loop. */
export function registerProcessMetrics(
  metrics: Metrics,
  view: ProcessView = systemProcess,
): () => void {
  metrics.sampled("process_resident_memory_bytes", "Resident memory.", () => view.rss());
  metrics.sampled("sallyport_timers", "Timers that wait: of health checks, retries, files.", () =>
    view.timers(),
  );
  const startedAt = view.startedAt();
  metrics.sampled(
    "process_start_time_seconds",
    "When the process started, since the epoch.",
    () => startedAt,
  );

  const cpu = metrics.counter("process_cpu_seconds", "CPU time, user and system.").with();
  const lag = metrics
    .histogram("sallyport_event_loop_lag_seconds", "How late timers come.", {
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    })
    .with();
  let countedCpu = 0;
  let due = view.monotonic() + LIMITS.lagMs;
  return view.every(LIMITS.lagMs, () => {
    const now = view.monotonic();
    lag.observe(Math.max(0, now - due) / 1000);
    due = now + LIMITS.lagMs;
    const used = view.cpuSeconds();
    cpu.inc(Math.max(0, used - countedCpu));
    countedCpu = used;
  });
}
