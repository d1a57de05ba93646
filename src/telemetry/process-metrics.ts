/**
 * Figures of this process, under the names that dashboards know (Prometheus' conventions for
 * process collectors), and the delay of the event loop, which is what a busy proxy shows first.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Metrics } from "../model/ports.ts";
import { openFilesCount, openFilesLimit } from "../platform/open-files.ts";
import { systemTimers } from "../platform/timers.ts";
import { productVersion, runtimeVersion } from "../platform/version.ts";

const LIMITS = {
  /** Milliseconds between looks at the event loop's delay: fine enough to see a stall, too rare to cost. */
  lagMs: 500,
  /** Milliseconds between the marks by which the runtime itself measures stalls: 50 wake-ups a second. */
  markMs: 20,
} as const;

/** The process as it is; a test turns it by hand. */
export interface ProcessView {
  /** Resident memory in bytes. */
  rss(): number;
  /** CPU seconds, user and system. */
  cpuSeconds(): number;
  /** Bytes of JavaScript values. */
  heapUsed(): number;
  /** Files and sockets that are open, and how many may be; undefined where the system does not say. */
  openFiles(): number | undefined;
  maxOpenFiles(): number | undefined;
  /** Begins to measure stalls; the first returned function gives the longest since it was last asked, in ms. */
  stalls(): { readonly longest: () => number; readonly end: () => void };
  /** What runs. */
  readonly version: string;
  readonly runtime: string;
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
  heapUsed: () => process.memoryUsage().heapUsed,
  openFiles: () => openFilesCount(),
  maxOpenFiles: () => openFilesLimit(),
  stalls: measureStalls,
  version: productVersion(),
  runtime: runtimeVersion(),
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
  metrics.sampled("sallyport_heap_bytes", "Memory of JavaScript values.", () => view.heapUsed());
  registerOpenFiles(metrics, view);
  metrics.sampledEach("sallyport_build_info", "What runs: always 1.", {
    labels: ["version", "runtime"],
    read: () => [{ labels: [view.version, view.runtime], value: 1 }],
  });
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
  const stall = metrics
    .histogram(
      "sallyport_event_loop_stall_seconds",
      "The longest time in each half second for which the event loop did nothing else.",
      { buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] },
    )
    .with();
  const stalls = view.stalls();
  let countedCpu = 0;
  let due = view.monotonic() + LIMITS.lagMs;
  const end = view.every(LIMITS.lagMs, () => {
    const now = view.monotonic();
    lag.observe(Math.max(0, now - due) / 1000);
    stall.observe(stalls.longest() / 1000);
    due = now + LIMITS.lagMs;
    const used = view.cpuSeconds();
    cpu.inc(Math.max(0, used - countedCpu));
    countedCpu = used;
  });
  return () => {
    stalls.end();
    end();
  };
}

function registerOpenFiles(metrics: Metrics, view: ProcessView): void {
  const known = (value: number | undefined): { readonly labels: []; readonly value: number }[] =>
    value === undefined ? [] : [{ labels: [], value }];
  metrics.sampledEach("process_open_fds", "Files and sockets that are open.", {
    labels: [],
    read: () => known(view.openFiles()),
  });
  metrics.sampledEach("process_max_fds", "Files and sockets that may be open.", {
    labels: [],
    read: () => known(view.maxOpenFiles()),
  });
}

/** Both runtimes have the monitor; Node counts the time between marks as part of a stall, Bun does not. */
function measureStalls(): ReturnType<ProcessView["stalls"]> {
  const monitor = monitorEventLoopDelay({ resolution: LIMITS.markMs });
  monitor.enable();
  const between = process.versions["bun"] === undefined ? LIMITS.markMs : 0;
  return {
    longest() {
      const ms = Math.max(0, monitor.max / 1e6 - between);
      monitor.reset();
      return ms;
    },
    end: () => void monitor.disable(),
  };
}
