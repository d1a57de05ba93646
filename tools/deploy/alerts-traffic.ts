/** Alerts about what callers see: budgets of errors and latency, the gate, services. */
import type { AlertGroup } from "./alert.ts";
import { OBJECTIVES } from "./recording-rules.ts";

const errorBudget = `(1 - ${OBJECTIVES.availability})`;
const latencyBudget = `(1 - ${OBJECTIVES.latency})`;

function burns(what: "errors" | "slow", budget: string): { fast: string; slow: string } {
  const ratio = (window: string, factor: number): string =>
    `sallyport:request_${what}:ratio_rate${window} > ${factor} * ${budget}`;
  return {
    fast: `(${ratio("5m", 14.4)} and ${ratio("1h", 14.4)}) or (${ratio("30m", 6)} and ${ratio("6h", 6)})`,
    slow: `${ratio("6h", 1)} and ${ratio("3d", 1)}`,
  };
}

const errors = burns("errors", errorBudget);
const slow = burns("slow", latencyBudget);
const requests = (status: string, reason = "permitted"): string =>
  `sallyport_requests_total{job="sallyport",instance="a",route="r",decision="permit",reason="${reason}",status="${status}"}`;
const decisions = (decision: string, reason: string): string =>
  `sallyport_decisions_total{job="sallyport",instance="a",route="r",decision="${decision}",reason="${reason}"}`;
const seconds = (part: string): string =>
  `sallyport_request_seconds_${part}job="sallyport",instance="a",route="r"}`;
const gate = (part: string): string =>
  `sallyport_gate_seconds_${part}job="sallyport",instance="a",decision="permit"}`;
const routeInfo = 'sallyport_route_info{job="sallyport",instance="a",route="r",service="billing"}';
const grpc = (status: string): string =>
  `sallyport_grpc_calls_total{job="sallyport",instance="a",route="r",grpc_status="${status}"}`;

export const TRAFFIC: AlertGroup = {
  name: "sallyport-traffic",
  alerts: [
    {
      name: "SallyportDown",
      severity: "page",
      for: "2m",
      expr: 'up{job=~"sallyport.*"} == 0',
      summary: "{{ $labels.instance }} does not answer on its operators' address",
      means: "Prometheus cannot scrape it: the process has ended, hangs, or cannot be reached.",
      look: "Whether it runs (`systemctl status`, `kubectl get pods`), the end of its log, `/livez`.",
      act: "Start it again; exit code 2 says in the last line of the log what keeps it from running.",
      fires: { 'up{job="sallyport",instance="a"}': "0x30" },
      quiet: { 'up{job="sallyport",instance="a"}': "1x30" },
    },
    {
      name: "SallyportErrorBudgetBurnFast",
      severity: "page",
      for: "2m",
      expr: errors.fast,
      summary: "{{ $labels.job }} answers {{ $value | humanizePercentage }} of requests with 5xx",
      means:
        "At this rate the month's budget of errors (0.1 %) is gone within two days, or within five at the lower of both rates.",
      look: "The overview: which `reason` and `status`, of which route. `upstream-…` is the service, `identity-unavailable` a provider, `audit-unavailable`, `feed-stale` and `internal-error` are us.",
      act: "Follow the alert that names the cause; there nearly always is one beside this. A decision id of the panel's exemplars leads to one request (`sallyport explain ID`).",
      fires: {
        [requests("200")]: "0+90x90",
        [requests("502", "upstream-unreachable")]: "0+10x90",
      },
      quiet: {
        [requests("200")]: "0+100000x90",
        [requests("502", "upstream-unreachable")]: "0+10x90",
      },
      at: "40m",
    },
    {
      name: "SallyportErrorBudgetBurnSlow",
      severity: "ticket",
      for: "1h",
      expr: errors.slow,
      summary:
        "{{ $labels.job }} spends its budget of errors ({{ $value | humanizePercentage }} are 5xx)",
      means:
        "For hours more than 0.1 % of requests have been answered with 5xx: the month's budget will not last.",
      look: "Errors by service and reason over the last days; what was changed when they began.",
      act: "Mend the cause in working hours. If the objective is not yours, change it in the recording rules.",
      fires: { [requests("200")]: "0+998x90", [requests("502", "upstream-timeout")]: "0+2x90" },
      quiet: {
        [requests("200")]: "0+100000x90",
        [requests("502", "upstream-timeout")]: "0+2x90",
      },
      at: "75m",
    },
    {
      name: "SallyportLatencyBudgetBurnFast",
      severity: "page",
      for: "2m",
      expr: slow.fast,
      summary:
        "{{ $value | humanizePercentage }} of requests to {{ $labels.job }} take longer than a second",
      means: "So many requests are slow that the month's budget of them (1 %) is gone within days.",
      look: "Overview: the gate's p99 against the services' p99. A slow gate waits for a provider or the disk; else it is a service, or long bodies.",
      act: "If one service is slow, its owner; give its route a shorter `timeout` meanwhile. If the gate is, see SallyportGateSlow.",
      fires: { [seconds('bucket{le="1.0",')]: "0+80x90", [seconds("count{")]: "0+100x90" },
      quiet: { [seconds('bucket{le="1.0",')]: "0+100x90", [seconds("count{")]: "0+100x90" },
      at: "40m",
    },
    {
      name: "SallyportLatencyBudgetBurnSlow",
      severity: "ticket",
      for: "1h",
      expr: slow.slow,
      summary:
        "{{ $labels.job }} spends its budget of slow requests ({{ $value | humanizePercentage }})",
      means: "For hours more than 1 % of requests have taken longer than a second.",
      look: "Which routes: p99 by route on the overview.",
      act: "Mend in working hours. Routes that are slow by nature deserve an objective of their own.",
      fires: { [seconds('bucket{le="1.0",')]: "0+98x90", [seconds("count{")]: "0+100x90" },
      quiet: { [seconds('bucket{le="1.0",')]: "0+100x90", [seconds("count{")]: "0+100x90" },
      at: "75m",
    },
    {
      name: "SallyportServiceErrors",
      severity: "ticket",
      for: "10m",
      expr: "sallyport:service_errors:rate5m / sallyport:service_requests:rate5m > 0.05 and sallyport:service_requests:rate5m > 0.1",
      summary: "{{ $value | humanizePercentage }} of requests to {{ $labels.service }} end in 5xx",
      means: "One service (or the way to it) fails for more than one request in twenty.",
      look: "Dashboard of services: failures by kind (connect, reset, timeout, protocol), endpoints by state, latency.",
      act: "The service's owner. An endpoint that fails alone is taken out by `outlier` and `health`; a new version may have to go back.",
      fires: {
        [requests("200")]: "0+80x40",
        [requests("502", "upstream-timeout")]: "0+20x40",
        [routeInfo]: "1x40",
      },
      quiet: {
        [requests("200")]: "0+99x40",
        [requests("502", "upstream-timeout")]: "0+1x40",
        [routeInfo]: "1x40",
      },
      at: "30m",
    },
    {
      name: "SallyportGrpcErrors",
      severity: "ticket",
      for: "10m",
      expr: 'sum by (job, route) (rate(sallyport_grpc_calls_total{grpc_status=~"UNKNOWN|INTERNAL|UNAVAILABLE|DATA_LOSS|DEADLINE_EXCEEDED"}[5m])) / sum by (job, route) (rate(sallyport_grpc_calls_total[5m])) > 0.05',
      summary: "{{ $value | humanizePercentage }} of gRPC calls of {{ $labels.route }} fail",
      means:
        "gRPC calls answer HTTP 200 also when they fail, so they are not among the 5xx. More than one in twenty fails.",
      look: "Which `grpc_status`: UNAVAILABLE is the way to the service, INTERNAL and UNKNOWN the service itself.",
      act: "As with SallyportServiceErrors.",
      fires: { [grpc("OK")]: "0+80x40", [grpc("UNAVAILABLE")]: "0+20x40" },
      quiet: { [grpc("OK")]: "0+80x40", [grpc("NOT_FOUND")]: "0+20x40" },
      at: "30m",
    },
    {
      name: "SallyportGateErrors",
      severity: "page",
      for: "0m",
      expr: 'sum by (job, instance) (increase(sallyport_decisions_total{reason="internal-error"}[10m])) > 0',
      summary: "The gate of {{ $labels.instance }} failed and denied",
      means:
        "An exception inside the gate. The request was denied, as it must be; it is a mistake of ours.",
      look: "The log: `the gate failed and denies`, with the stack. `sallyport audit search --reason internal-error` leads to the request.",
      act: "If it came with a change of the configuration, go back. Report it with the stack: no secret is in it.",
      fires: { [decisions("deny", "internal-error")]: "0x10 1x20" },
      quiet: { [decisions("deny", "internal-error")]: "1x30" },
      at: "12m",
    },
    {
      name: "SallyportPolicyErrors",
      severity: "ticket",
      for: "5m",
      expr: 'sum by (job, route) (increase(sallyport_decisions_total{reason="policy-error"}[10m])) > 0',
      summary: "Policies err on requests of {{ $labels.route }}, which are denied",
      means:
        "A `forbid` could not be evaluated (an attribute that is missing, an overflow), so the request was denied.",
      look: "`sallyport audit search --reason policy-error` for ids, and `sallyport explain ID`: it names the policy and what it stumbled on.",
      act: "Guard the access (`principal has x && …`), add a test case, reload.",
      fires: { [decisions("deny", "policy-error")]: "0+1x30" },
      quiet: { [decisions("deny", "no-permit")]: "0+1x30" },
    },
    {
      name: "SallyportGateSlow",
      severity: "ticket",
      for: "10m",
      expr: "histogram_quantile(0.99, sum by (job, le) (rate(sallyport_gate_seconds_bucket[5m]))) > 0.05",
      summary:
        "One decision in a hundred takes {{ $value | humanizeDuration }} at {{ $labels.job }}",
      means:
        "Decisions take microseconds when every fact is at hand. So long they wait for a provider, a key set, Redis, or the disk (`durability: strict`).",
      look: "Dashboards of identity (questions to providers and their latency) and audit (time to disk); stalls of the event loop.",
      act: "Mend what is waited for. Providers: a longer `maxAge` of answers. Disk: see SallyportAuditSyncSlow.",
      fires: {
        [gate('bucket{le="0.01",')]: "0+50x40",
        [gate('bucket{le="0.25",')]: "0+100x40",
        [gate('bucket{le="+Inf",')]: "0+100x40",
      },
      quiet: {
        [gate('bucket{le="0.01",')]: "0+100x40",
        [gate('bucket{le="0.25",')]: "0+100x40",
        [gate('bucket{le="+Inf",')]: "0+100x40",
      },
      at: "30m",
    },
  ],
};
