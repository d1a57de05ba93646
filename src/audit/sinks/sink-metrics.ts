/** What is measured of sinks. Labels are names of the configuration. */
import type { Counter, Gauge, Metrics } from "../../model/ports.ts";

export type SkipCause = "lag" | "removed";

export interface SinkMetrics {
  readonly delivered: Counter;
  readonly failures: Counter;
  readonly refused: Counter;
  readonly unreadable: Counter;
  readonly skippedBytes: Readonly<Record<SkipCause, Counter>>;
  readonly lagBytes: Gauge;
  readonly lagSeconds: Gauge;
}

export function registerSinkMetrics(metrics: Metrics, sink: string): SinkMetrics {
  const skipped = metrics.counter(
    "sallyport_audit_sink_skipped_bytes",
    "Bytes of the log that a sink went past without delivering them: it lagged beyond its `maxLag`, or the file was removed before.",
    ["sink", "cause"],
  );
  return {
    delivered: metrics
      .counter(
        "sallyport_audit_sink_delivered_records",
        "Records that a sink's receiver has taken.",
        ["sink"],
      )
      .with(sink),
    failures: metrics
      .counter("sallyport_audit_sink_failures", "Deliveries that failed and are tried again.", [
        "sink",
      ])
      .with(sink),
    refused: metrics
      .counter(
        "sallyport_audit_sink_refused_records",
        "Records that a sink's receiver refused for good; they are not sent again.",
        ["sink"],
      )
      .with(sink),
    unreadable: metrics
      .counter("sallyport_audit_sink_unreadable_lines", "Lines of the log that are no records.", [
        "sink",
      ])
      .with(sink),
    skippedBytes: { lag: skipped.with(sink, "lag"), removed: skipped.with(sink, "removed") },
    lagBytes: metrics
      .gauge(
        "sallyport_audit_sink_lag_bytes",
        "Bytes of the log that a sink has not yet delivered.",
        ["sink"],
      )
      .with(sink),
    lagSeconds: metrics
      .gauge(
        "sallyport_audit_sink_lag_seconds",
        "Age of the oldest record that a sink has at hand and has not yet delivered.",
        ["sink"],
      )
      .with(sink),
  };
}
