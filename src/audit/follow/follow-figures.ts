/** What following the log counts. */
import type { Counter, Gauge, Metrics } from "../../model/ports.ts";

export interface FollowFigures {
  readonly readBytes: Counter;
  readonly readRecords: Counter;
  readonly badLines: Counter;
  readonly unreadable: Counter;
  readonly syncErrors: Counter;
  failures(consumer: string): Counter;
  failing(consumer: string): Gauge;
}

export function registerFollowFigures(metrics: Metrics): FollowFigures {
  const failures = metrics.counter(
    "sallyport_audit_consumer_failures",
    "Failures of what reads the audit log's records, by who failed: sealing, counting, watching. It is tried again.",
    ["consumer"],
  );
  const failing = metrics.gauge(
    "sallyport_audit_consumer_failing",
    "1 while what reads the audit log's records does not get on, by who it is. Traffic goes on.",
    ["consumer"],
  );
  const counter = (name: string, help: string): Counter => metrics.counter(name, help).with();
  return {
    readBytes: counter("sallyport_audit_read_bytes", "Bytes of the audit log read back."),
    readRecords: counter("sallyport_audit_read_records", "Records of the audit log read back."),
    badLines: counter(
      "sallyport_audit_bad_lines",
      "Lines of the audit log that are no records: damaged, or written by somebody else.",
    ),
    unreadable: counter(
      "sallyport_audit_unreadable",
      "Failed attempts to read the audit log back, and files of it that were removed or cut while they were read.",
    ),
    syncErrors: counter(
      "sallyport_audit_checkpoint_sync_errors",
      "Checkpoints put off because the records that they would cover could not be brought to the disk.",
    ),
    failures: (consumer) => failures.with(consumer),
    failing: (consumer) => failing.with(consumer),
  };
}
