/** Alerts about services behind, limits and saturation. */
import type { AlertGroup } from "./alert.ts";

const of = (name: string, labels = ""): string =>
  `${name}{job="sallyport",instance="a"${labels && `,${labels}`}}`;
const endpoints = (state: string): string =>
  of("sallyport_upstream_endpoints", `service="billing",state="${state}"`);
const ended = (reason: string): string =>
  of("sallyport_requests_total", `route="r",decision="permit",reason="${reason}",status="503"`);

export const SERVICES: AlertGroup = {
  name: "sallyport-services",
  alerts: [
    {
      name: "SallyportServiceDown",
      severity: "page",
      for: "1m",
      expr: 'sum by (job, instance, service) (sallyport_upstream_endpoints{state="ready"}) == 0',
      summary: "{{ $labels.instance }} has no ready endpoint of {{ $labels.service }}",
      means:
        "Every endpoint is unhealthy, ejected or resting after failures. Requests are answered 502 or 503, or all endpoints are tried for want of better ones.",
      look: "Dashboard of services: failures by kind; from this machine, `curl` an endpoint's health path.",
      act: "Bring the service back. If it is well, look at the network between, and at `health` of its configuration.",
      fires: { [endpoints("ready")]: "0x30", [endpoints("unhealthy")]: "2x30" },
      quiet: { [endpoints("ready")]: "1x30", [endpoints("unhealthy")]: "1x30" },
    },
    {
      name: "SallyportEndpointUnhealthy",
      severity: "ticket",
      for: "10m",
      expr: 'sum by (job, service) (sallyport_upstream_endpoints{state=~"unhealthy|ejected"}) > 0',
      summary: "{{ $value }} endpoints of {{ $labels.service }} are out of service",
      means: "Others carry their load; nobody is refused yet.",
      look: "Which: `sallyport_upstream_failures_total` by endpoint, `sallyport_upstream_health_checks_total`.",
      act: "Mend or remove them before the next one goes.",
      fires: { [endpoints("ready")]: "1x30", [endpoints("ejected")]: "1x30" },
      quiet: { [endpoints("ready")]: "2x30", [endpoints("ejected")]: "0x30" },
    },
    {
      name: "SallyportServiceOverloaded",
      severity: "ticket",
      for: "5m",
      expr: 'sum by (job, route) (rate(sallyport_requests_total{reason="overloaded"}[5m])) > 0',
      summary:
        "Requests of {{ $labels.route }} are turned away: the service has as many as it may have",
      means: "The waiting line of the service is full or took too long; callers got 503.",
      look: "Requests in flight and waiting, by service; whether the service became slower (then it is that).",
      act: "More endpoints, or a higher `requests` of the service if it can take it. A short line is right: a long one only adds latency.",
      fires: { [ended("overloaded")]: "0+5x30" },
      quiet: { [ended("permitted")]: "0+5x30" },
    },
    {
      name: "SallyportListenerFull",
      severity: "ticket",
      for: "5m",
      expr: "sallyport_listener_connections / sallyport_listener_connections_max > 0.9",
      summary:
        "Listener {{ $labels.listener }} of {{ $labels.instance }} has {{ $value | humanizePercentage }} of its connections",
      means: "Beyond `limits.connections` new ones are closed as they come.",
      look: "Whether it is more callers, callers that keep idle connections, or one address with many.",
      act: "Raise `limits.connections` (and `ulimit -n`), add a proxy, or set `connectionsPerAddress`.",
      fires: {
        [of("sallyport_listener_connections", 'listener="edge"')]: "95x30",
        [of("sallyport_listener_connections_max", 'listener="edge"')]: "100x30",
      },
      quiet: {
        [of("sallyport_listener_connections", 'listener="edge"')]: "50x30",
        [of("sallyport_listener_connections_max", 'listener="edge"')]: "100x30",
      },
    },
    {
      name: "SallyportLimitSaturated",
      severity: "info",
      for: "15m",
      expr: "sum by (job, limit) (rate(sallyport_limited_total[5m])) > 1",
      summary: "Limit {{ $labels.limit }} refuses {{ $value | humanize }} requests a second",
      means: "A limit of a route does what it is for, and has for a quarter of an hour.",
      look: "Who: `sallyport audit search --reason rate-limited --from 1h`.",
      act: "If it is legitimate traffic, a higher limit; if not, leave it, or block the principal.",
      fires: { [of("sallyport_limited_total", 'limit="r/principal"')]: "0+600x40" },
      quiet: { [of("sallyport_limited_total", 'limit="r/principal"')]: "0+6x40" },
      at: "30m",
    },
    {
      name: "SallyportSharedMemoryAway",
      severity: "ticket",
      for: "2m",
      expr: "sallyport_shared_memory_connected == 0",
      summary: "{{ $labels.instance }} does not reach the memory that all proxies share",
      means:
        "Redis or Valkey is away: limits across machines count by themselves or refuse (`whenAway`), and proofs and logins that need it are refused.",
      look: "`/readyz` (`sharedMemory`), the log, Redis itself.",
      act: "Bring it back; nothing has to be done here then.",
      fires: { [of("sallyport_shared_memory_connected")]: "0x30" },
      quiet: { [of("sallyport_shared_memory_connected")]: "1x30" },
    },
    {
      name: "SallyportMetricsOverflow",
      severity: "ticket",
      for: "0m",
      expr: "sum by (job, metric) (increase(sallyport_metrics_overflow_total[30m])) > 0",
      summary:
        "{{ $labels.metric }} has more series than its limit; the rest is counted as `other`",
      means:
        "A configuration with very many routes or services. Figures of the last ones are together under `other`.",
      look: "How many routes there are, by `sallyport_route_info`.",
      act: "Split the configuration over several proxies, or go without these figures.",
      fires: { [of("sallyport_metrics_overflow_total", 'metric="m"')]: "0x5 4x30" },
      quiet: { [of("sallyport_metrics_overflow_total", 'metric="m"')]: "4x40" },
    },
  ],
};
