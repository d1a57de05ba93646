/** What alerts and dashboards ask again and again, computed once: error and latency budgets over several windows. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

/** Of multi-window, multi-burn-rate alerts (Google's SRE workbook, chapter 5). */
const WINDOWS = ["5m", "30m", "1h", "6h", "3d"] as const;

export const OBJECTIVES = {
  /** Share of requests that are not answered 5xx. */
  availability: 0.999,
  /** Share of permitted requests whose answer is whole within `latencySeconds`. */
  latency: 0.99,
  latencySeconds: "1.0",
} as const;

export const RECORDING_RULES: readonly RecordingRule[] = [
  ...WINDOWS.flatMap((window) => [
    {
      record: `sallyport:request_errors:ratio_rate${window}`,
      expr: `sum by (job) (rate(sallyport_requests_total{status=~"5.."}[${window}])) / sum by (job) (rate(sallyport_requests_total[${window}]))`,
    },
    {
      record: `sallyport:request_slow:ratio_rate${window}`,
      expr: `1 - sum by (job) (rate(sallyport_request_seconds_bucket{le="${OBJECTIVES.latencySeconds}"}[${window}])) / sum by (job) (rate(sallyport_request_seconds_count[${window}]))`,
    },
  ]),
  {
    record: "sallyport:service_requests:rate5m",
    expr: "sum by (job, service) (rate(sallyport_requests_total[5m]) * on (job, instance, route) group_left (service) sallyport_route_info)",
  },
  {
    record: "sallyport:service_errors:rate5m",
    expr: 'sum by (job, service) (rate(sallyport_requests_total{status=~"5.."}[5m]) * on (job, instance, route) group_left (service) sallyport_route_info)',
  },
];
