/** What the audit log counts about itself. */
import type { Counter, Histogram, Metrics } from "../model/ports.ts";
import type { SummaryCount } from "./serialize.ts";

const SYNC_BUCKETS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

export interface Figures extends Readonly<
  Record<
    | "decisions"
    | "completions"
    | "summaries"
    | "events"
    | "written"
    | "errors"
    | "refused"
    | "lost",
    Counter
  >
> {
  readonly counted: Readonly<Record<SummaryCount["cause"], Counter>>;
  readonly syncSeconds: Histogram;
}

/** Registers the families; the gauges that are read from a running log are its own. */
export function registerFigures(metrics: Metrics): Figures {
  const records = metrics.counter("sallyport_audit_records", "Records taken, by type.", ["type"]);
  const counted = metrics.counter(
    "sallyport_audit_counted",
    "Denials that were only counted, by cause: rate (strangers beyond their rate), space (the disk gets full), unwritable.",
    ["cause"],
  );
  const counter = (name: string, help: string): Counter => metrics.counter(name, help).with();
  return {
    decisions: records.with("decision"),
    completions: records.with("completion"),
    summaries: records.with("summary"),
    events: records.with("event"),
    counted: {
      rate: counted.with("rate"),
      space: counted.with("space"),
      unwritable: counted.with("unwritable"),
    },
    written: counter("sallyport_audit_written_bytes", "Bytes written to the audit log."),
    errors: counter("sallyport_audit_errors", "Failed writes and syncs of the audit log."),
    refused: counter(
      "sallyport_audit_refused",
      "Permits refused because the audit log could not take them.",
    ),
    lost: counter("sallyport_audit_lost", "Completions and events that could not be recorded."),
    syncSeconds: metrics
      .histogram(
        "sallyport_audit_sync_seconds",
        "How long it took until written records were on disk.",
        {
          buckets: SYNC_BUCKETS,
        },
      )
      .with(),
  };
}
