/** Services behind: traffic, errors, latency, endpoints, retries. */
import { type Dashboard, of, quantile, rateBy, series, stat, table } from "./dashboard.ts";

const service = 'service=~"$service"';

export const SERVICES_BEHIND: Dashboard = {
  name: "services",
  title: "Sallyport: services",
  description:
    "Each service behind: requests, failures by kind, latency, endpoints by state, what waits and what is tried again.",
  rows: [
    {
      title: "Now",
      panels: [
        stat(
          "Endpoints ready",
          "Of all services.",
          `sum(${of("sallyport_upstream_endpoints", `state="ready",${service}`)})`,
          { unit: "none", width: 6 },
        ),
        stat(
          "Endpoints out",
          "Unhealthy, ejected, or resting after a failure.",
          `sum(${of("sallyport_upstream_endpoints", `state!="ready",${service}`)})`,
          { unit: "none", width: 6, thresholds: [1, 5] },
        ),
        stat(
          "In flight",
          "Requests that services have now.",
          `sum(${of("sallyport_upstream_requests", service)})`,
          { unit: "short", width: 6 },
        ),
        stat(
          "Waiting",
          "Requests that wait for an endpoint.",
          `sum(${of("sallyport_upstream_waiting", service)})`,
          { unit: "short", width: 6, thresholds: [10, 100] },
        ),
      ],
    },
    {
      title: "Requests",
      panels: [
        series(
          "Requests by service",
          "All that its routes got, refused ones included.",
          [
            [
              `sum by (service) (sallyport:service_requests:rate5m{job=~"$job",${service}})`,
              "{{service}}",
            ],
          ],
          { unit: "reqps", stacked: true },
        ),
        series(
          "5xx by service",
          "Its own, and ours for it.",
          [
            [
              `sum by (service) (sallyport:service_errors:rate5m{job=~"$job",${service}})`,
              "{{service}}",
            ],
          ],
          { unit: "reqps", stacked: true },
        ),
        series(
          "Latency by route",
          "p99 until the head of the service's answer.",
          [[quantile(0.99, "sallyport_upstream_seconds", "route", 'route=~"$route"'), "{{route}}"]],
          { unit: "s" },
        ),
        series(
          "Bytes by route",
          "Of bodies, to callers.",
          [
            [
              rateBy("route", "sallyport_response_body_bytes_total", 'route=~"$route"'),
              "{{route}}",
            ],
          ],
          { unit: "Bps" },
        ),
        series(
          "gRPC calls",
          "By status: they answer HTTP 200 also when they fail.",
          [
            [
              rateBy("grpc_status", "sallyport_grpc_calls_total", 'route=~"$route"'),
              "{{grpc_status}}",
            ],
          ],
          { unit: "reqps", needs: "gRPC callers" },
        ),
        table(
          "Routes",
          "Which service each route leads to.",
          `max by (route, service) (${of("sallyport_route_info", service)})`,
          { unit: "none" },
        ),
      ],
    },
    {
      title: "Endpoints",
      panels: [
        series(
          "Endpoints by state",
          "Ready, resting, unhealthy, ejected: states that an endpoint is in.",
          [
            [
              `sum by (service, state) (${of("sallyport_upstream_endpoints", service)}) > 0`,
              "{{service}} {{state}}",
            ],
          ],
          { unit: "short", stacked: true },
        ),
        series(
          "Failures by kind",
          "Attempts that an endpoint failed.",
          [
            [
              rateBy("service, kind", "sallyport_upstream_failures_total", service),
              "{{service}} {{kind}}",
            ],
          ],
          { unit: "ops", stacked: true },
        ),
        series(
          "Health checks",
          "By outcome.",
          [
            [
              rateBy("service, outcome", "sallyport_upstream_health_checks_total", service),
              "{{service}} {{outcome}}",
            ],
          ],
          { unit: "ops" },
        ),
        series(
          "In flight",
          "Requests that each endpoint has.",
          [
            [
              `sum by (service, endpoint) (${of("sallyport_upstream_requests", service)})`,
              "{{service}} {{endpoint}}",
            ],
          ],
          { unit: "short" },
        ),
        series(
          "Connections",
          "Open to each endpoint.",
          [
            [
              `sum by (service, endpoint) (${of("sallyport_upstream_connections", service)})`,
              "{{service}} {{endpoint}}",
            ],
          ],
          { unit: "short" },
        ),
        series(
          "Tried again",
          "Retries, by whether they were allowed.",
          [
            [
              rateBy("service, outcome", "sallyport_upstream_retries_total", service),
              "{{service}} {{outcome}}",
            ],
          ],
          { unit: "ops" },
        ),
        series(
          "Waiting line",
          "Requests that met only endpoints with as many as they may have.",
          [
            [
              rateBy("service, outcome", "sallyport_upstream_queue_total", service),
              "{{service}} {{outcome}}",
            ],
          ],
          { unit: "ops", needs: "a service with more requests than it may have" },
        ),
        series(
          "TLS failures",
          "Connections to a service that failed in TLS.",
          [[rateBy("service", "sallyport_upstream_tls_failures_total", service), "{{service}}"]],
          { unit: "ops", needs: "a service with https" },
        ),
        series(
          "Changes of state",
          "Endpoints that came and went.",
          [
            [
              rateBy("service, state", "sallyport_upstream_state_changes_total", service),
              "{{service}} {{state}}",
            ],
          ],
          { unit: "ops" },
        ),
      ],
    },
  ],
};
