/** The four golden signals at a glance, and how full everything is. */
import { type Dashboard, of, quantile, rate, rateBy, series, stat, table } from "./dashboard.ts";

const requests = "sallyport_requests_total";
const whole = "sallyport_request_seconds";
const gate = "sallyport_gate_seconds";
const failed = 'status=~"5.."';

export const OVERVIEW: Dashboard = {
  name: "overview",
  title: "Sallyport: overview",
  description:
    "Traffic, errors, latency and saturation of all proxies, and whether their record is whole.",
  rows: [
    {
      title: "Now",
      panels: [
        stat("Requests", "Requests that ended, a second.", `sum(${rate(requests)})`, {
          unit: "reqps",
        }),
        stat(
          "Errors",
          "Share of requests that were answered 5xx.",
          `sum(${rate(requests, failed)}) / sum(${rate(requests)}) or vector(0)`,
          { unit: "percentunit", thresholds: [0.001, 0.01] },
        ),
        stat(
          "p99 latency",
          "99 of 100 permitted requests were answered whole within this time.",
          quantile(0.99, whole),
          { unit: "s" },
        ),
        stat("p99 of the gate", "99 of 100 decisions took at most so long.", quantile(0.99, gate), {
          unit: "s",
          thresholds: [0.01, 0.05],
        }),
        stat(
          "Processor",
          "Cores in use, all processes together.",
          `sum(${rate("process_cpu_seconds_total")})`,
          { unit: "short" },
        ),
        stat(
          "Audit log",
          "Whether every audit log takes records; traffic is refused where one does not.",
          `min(${of("sallyport_audit_writable")})`,
          { unit: "none", thresholds: [1, 0.5], says: { 0: "failing", 1: "writable" } },
        ),
      ],
    },
    {
      title: "Traffic and errors",
      panels: [
        series(
          "Requests by route",
          "What is asked for. A route that falls to nothing has lost its callers, or its name.",
          [[rateBy("route", requests), "{{route}}"]],
          { unit: "reqps", stacked: true },
        ),
        series(
          "Answers by status",
          "All answers, the service's and ours.",
          [[rateBy("status", requests), "{{status}}"]],
          { unit: "reqps", stacked: true },
        ),
        series(
          "Failures by reason",
          "What was permitted and did not end well, and what was denied for a fault that is not the caller's.",
          [[rateBy("reason", requests, failed), "{{reason}}"]],
          { unit: "reqps", stacked: true },
        ),
        series(
          "Refusals by reason",
          "Who is turned away and why: changes with each new client, each mistake in a policy and each attack.",
          [[rateBy("reason", "sallyport_decisions_total", 'decision="deny"'), "{{reason}}"]],
          { unit: "reqps", stacked: true },
        ),
        series(
          "Share of errors",
          "Against the objective of 99.9 %: above 0.1 % the budget shrinks.",
          [
            ["sallyport:request_errors:ratio_rate5m", "5 minutes"],
            ["sallyport:request_errors:ratio_rate1h", "1 hour"],
          ],
          { unit: "percentunit" },
        ),
        series(
          "Bytes of bodies",
          "To callers and from them.",
          [
            [`sum(${rate("sallyport_response_body_bytes_total")})`, "to callers"],
            [`sum(${rate("sallyport_request_body_bytes_total")})`, "from callers"],
          ],
          { unit: "Bps" },
        ),
      ],
    },
    {
      title: "Latency",
      panels: [
        series(
          "What callers wait for",
          "From the head of a permitted request to the end of its answer, streams apart. Exemplars name decisions.",
          [
            [quantile(0.5, whole), "p50"],
            [quantile(0.9, whole), "p90"],
            [quantile(0.99, whole), "p99"],
          ],
          { unit: "s" },
        ),
        series(
          "Where it goes",
          "The gate against the services: p99 of both.",
          [
            [quantile(0.99, gate), "gate"],
            [quantile(0.99, "sallyport_upstream_seconds"), "services"],
          ],
          { unit: "s" },
        ),
        series(
          "p99 by route",
          "The slow ones.",
          [[`topk(10, ${quantile(0.99, whole, "route")})`, "{{route}}"]],
          { unit: "s" },
        ),
      ],
    },
    {
      title: "Saturation",
      panels: [
        series(
          "Cores in use",
          "By process or supervisor. A worker has one event loop: near 1 it is full.",
          [[rateBy("instance", "process_cpu_seconds_total"), "{{instance}}"]],
          { unit: "short" },
        ),
        series(
          "Stalls of the event loop",
          "The longest in each half second: how long everybody waits at worst.",
          [
            [quantile(0.9, "sallyport_event_loop_stall_seconds"), "p90"],
            [quantile(0.99, "sallyport_event_loop_lag_seconds"), "late timers, p99"],
          ],
          { unit: "s" },
        ),
        series(
          "Memory",
          "Resident, and of JavaScript values.",
          [
            [`sum(${of("process_resident_memory_bytes")})`, "resident"],
            [`sum(${of("sallyport_heap_bytes")})`, "values"],
          ],
          { unit: "bytes" },
        ),
        series(
          "Connections of callers",
          "Open, and as a share of what listeners allow.",
          [[`sum by (listener) (${of("sallyport_listener_connections")})`, "{{listener}}"]],
          { unit: "short" },
        ),
        series(
          "Files open",
          "Share of what the system allows.",
          [[`${of("process_open_fds")} / ${of("process_max_fds")}`, "{{instance}}"]],
          { unit: "percentunit" },
        ),
        table("What runs", "Version and runtime of each process.", of("sallyport_build_info"), {
          unit: "none",
        }),
      ],
    },
  ],
};
