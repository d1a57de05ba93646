/** Alerts about processes: configuration, workers, event loop, files. */
import type { AlertGroup } from "./alert.ts";

const of = (name: string, labels = ""): string =>
  `${name}{job="sallyport",instance="a"${labels && `,${labels}`}}`;
const stall = (le: string): string => of("sallyport_event_loop_stall_seconds_bucket", `le="${le}"`);

export const PROCESS: AlertGroup = {
  name: "sallyport-process",
  alerts: [
    {
      name: "SallyportReloadFailed",
      severity: "ticket",
      for: "1m",
      expr: "sallyport_config_last_reload_successful == 0",
      summary: "{{ $labels.instance }} did not take its last configuration",
      means: "What was asked for does not validate; what ran before is still in force.",
      look: "`/readyz` (`config.notReloaded.why`) or the log: each problem with its place and what would be right.",
      act: "Mend it and reload. A restart would not come up with it.",
      fires: { [of("sallyport_config_last_reload_successful")]: "0x30" },
      quiet: { [of("sallyport_config_last_reload_successful")]: "1x30" },
    },
    {
      name: "SallyportPolicyTestsIgnored",
      severity: "ticket",
      for: "10m",
      expr: "sallyport_policy_tests_failing > 0",
      summary: "{{ $labels.instance }} runs policies that fail {{ $value }} of their tests",
      means: "`policies.insecureIgnoreFailingTests` let them in.",
      look: "`sallyport test`.",
      act: "Mend policies or tests, then take that option out.",
      fires: { [of("sallyport_policy_tests_failing")]: "2x30" },
      quiet: { [of("sallyport_policy_tests_failing")]: "0x30" },
    },
    {
      name: "SallyportWorkerRestarts",
      severity: "page",
      for: "0m",
      expr: "sum by (job, instance) (increase(sallyport_worker_restarts_total[15m])) > 2",
      summary: "Workers of {{ $labels.instance }} ended {{ $value }} times in a quarter of an hour",
      means:
        "A worker takes what it had in flight with it. Once may be chance (memory, a signal); thrice is a fault.",
      look: "The supervisor's log says how each ended: a signal (9: the system's memory killer) or an exit code.",
      act: "Memory: fewer connections or routes, more memory. An exception: report it, go back a version.",
      fires: { [of("sallyport_worker_restarts_total", 'worker="1"')]: "0x5 4x30" },
      quiet: { [of("sallyport_worker_restarts_total", 'worker="1"')]: "0x10 1x30" },
    },
    {
      name: "SallyportWorkersMissing",
      severity: "ticket",
      for: "2m",
      expr: "sallyport_workers < sallyport_workers_wanted",
      summary: "{{ $labels.instance }} serves with {{ $value }} workers, fewer than it should",
      means: "A worker does not come up or does not take the configuration.",
      look: "The supervisor's log.",
      act: "Mend what it says; it is tried again every ten seconds.",
      fires: { [of("sallyport_workers")]: "1x30", [of("sallyport_workers_wanted")]: "2x30" },
      quiet: { [of("sallyport_workers")]: "2x30", [of("sallyport_workers_wanted")]: "2x30" },
    },
    {
      name: "SallyportEventLoopStalls",
      severity: "ticket",
      for: "5m",
      expr: "histogram_quantile(0.9, sum by (job, instance, le) (rate(sallyport_event_loop_stall_seconds_bucket[5m]))) > 0.1",
      summary:
        "{{ $labels.instance }} does nothing else for {{ $value | humanizeDuration }} at a time",
      means:
        "All requests of the process wait for so long: it has too little processor, or something computes too long.",
      look: "`process_cpu_seconds_total` against the cores it may use; reloads of large policy sets; the machine's own load.",
      act: "More workers or proxies; fewer other programs beside it.",
      fires: {
        [stall("0.1")]: "0+50x30",
        [stall("0.25")]: "0+100x30",
        [stall("+Inf")]: "0+100x30",
      },
      quiet: {
        [stall("0.1")]: "0+100x30",
        [stall("0.25")]: "0+100x30",
        [stall("+Inf")]: "0+100x30",
      },
    },
    {
      name: "SallyportFilesRunOut",
      severity: "page",
      for: "2m",
      expr: 'process_open_fds{job=~"sallyport.*"} / process_max_fds > 0.85',
      summary:
        "{{ $labels.instance }} has {{ $value | humanizePercentage }} of the files open that it may",
      means: "Connections to it and to services will fail one by one.",
      look: "Connections of callers and to services; the warning at start about `ulimit -n`.",
      act: "Raise the limit (`LimitNOFILE=`) and restart; lower `limits.connections` meanwhile.",
      fires: { [of("process_open_fds")]: "950x30", [of("process_max_fds")]: "1000x30" },
      quiet: { [of("process_open_fds")]: "50x30", [of("process_max_fds")]: "1000x30" },
    },
  ],
};
