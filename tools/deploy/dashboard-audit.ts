/** The record: taken, sealed, witnessed, copied; and usage that is counted from it. */
import { type Dashboard, of, quantile, rate, rateBy, series, stat } from "./dashboard.ts";

export const AUDIT_AND_SEEING: Dashboard = {
  name: "audit",
  title: "Sallyport: audit and seeing",
  description:
    "Whether every decision is on record, sealed, witnessed and copied, and what the disk has to do for it.",
  rows: [
    {
      title: "Now",
      panels: [
        stat(
          "Takes records",
          "Whether every log can be written; traffic is refused where one cannot.",
          `min(${of("sallyport_audit_writable")})`,
          { unit: "none", thresholds: [1, 0.5], says: { 0: "no", 1: "yes" } },
        ),
        stat("Records", "A second.", `sum(${rate("sallyport_audit_records_total")})`, {
          unit: "ops",
        }),
        stat(
          "Sealed",
          "Records under a signed checkpoint.",
          `sum(${of("sallyport_audit_tree_size")})`,
          { unit: "short" },
        ),
        stat(
          "Not sealed",
          "Records that wait for their checkpoint.",
          `sum(${of("sallyport_audit_unsealed_records")})`,
          { unit: "short" },
        ),
        stat("Free space", "Of the fullest disk.", `min(${of("sallyport_audit_free_bytes")})`, {
          unit: "bytes",
        }),
        stat(
          "Lost",
          "Completions and events that could not be recorded, in the last day.",
          `sum(increase(${of("sallyport_audit_lost_total")}[1d]))`,
          { unit: "none", thresholds: [1, 1] },
        ),
      ],
    },
    {
      title: "Writing",
      panels: [
        series(
          "Records by type",
          "Decisions, completions, summaries, events.",
          [[rateBy("type", "sallyport_audit_records_total"), "{{type}}"]],
          { unit: "ops", stacked: true },
        ),
        series(
          "Bytes written",
          "To all logs.",
          [[rateBy("instance", "sallyport_audit_written_bytes_total"), "{{instance}}"]],
          { unit: "Bps" },
        ),
        series(
          "Time to disk",
          "Until written records were on disk. With `strict` each permitted request waits for it.",
          [
            [quantile(0.5, "sallyport_audit_sync_seconds"), "p50"],
            [quantile(0.99, "sallyport_audit_sync_seconds"), "p99"],
          ],
          { unit: "s" },
        ),
        series(
          "Waiting for the disk",
          "Bytes of records.",
          [[`sum(${of("sallyport_audit_pending_bytes")})`, "pending"]],
          { unit: "bytes" },
        ),
        series(
          "Only counted",
          "Denials that were counted and not written one by one, by cause.",
          [[rateBy("cause", "sallyport_audit_counted_total"), "{{cause}}"]],
          { unit: "ops" },
        ),
        series(
          "Failures",
          "Failed writes, permits refused for them, records lost.",
          [
            [`sum(${rate("sallyport_audit_errors_total")})`, "errors"],
            [`sum(${rate("sallyport_audit_refused_total")})`, "refused"],
            [`sum(${rate("sallyport_audit_lost_total")})`, "lost"],
          ],
          { unit: "ops" },
        ),
      ],
    },
    {
      title: "Sealing and witnesses",
      panels: [
        series(
          "Not sealed",
          "Records that wait for their checkpoint: back at 0 with each.",
          [[`sum by (instance) (${of("sallyport_audit_unsealed_records")})`, "{{instance}}"]],
          { unit: "short" },
        ),
        series(
          "Age of the last checkpoint",
          "Grows while nothing is recorded, too.",
          [[`max by (instance) (${of("sallyport_audit_checkpoint_age_seconds")})`, "{{instance}}"]],
          { unit: "s" },
        ),
        series(
          "Read back",
          "Records that were read back to be sealed, counted and copied.",
          [[`sum(${rate("sallyport_audit_read_records_total")})`, "records"]],
          { unit: "ops" },
        ),
        series(
          "Not witnessed",
          "Records that a witness has not seen.",
          [[`max by (witness) (${of("sallyport_audit_witness_lag_records")})`, "{{witness}}"]],
          { unit: "short" },
        ),
        series(
          "Since a witness answered",
          "Time since it last took a checkpoint.",
          [
            [
              `max by (witness) (${of("sallyport_audit_witness_success_age_seconds")})`,
              "{{witness}}",
            ],
          ],
          { unit: "s" },
        ),
        series(
          "Failures of witnesses",
          "By outcome. `forked` is an alarm.",
          [
            [
              rateBy("witness, outcome", "sallyport_audit_witness_failures_total"),
              "{{witness}} {{outcome}}",
            ],
          ],
          { unit: "ops" },
        ),
      ],
    },
    {
      title: "Copies, signs, usage, traces",
      panels: [
        series(
          "Delivered to sinks",
          "Records that receivers have taken.",
          [[rateBy("sink", "sallyport_audit_sink_delivered_records_total"), "{{sink}}"]],
          { unit: "ops" },
        ),
        series(
          "Sinks behind",
          "Since the oldest record that is not yet delivered.",
          [[`max by (sink) (${of("sallyport_audit_sink_lag_seconds")})`, "{{sink}}"]],
          { unit: "s" },
        ),
        series(
          "Failures of sinks",
          "Deliveries that failed and are tried again.",
          [[rateBy("sink", "sallyport_audit_sink_failures_total"), "{{sink}}"]],
          { unit: "ops" },
        ),
        series(
          "Signs of a breach",
          "What looks like an attack, by sign, in the last ten minutes.",
          [[`sum by (sign) (increase(${of("sallyport_signs_total")}[10m]))`, "{{sign}}"]],
          { unit: "none" },
        ),
        series(
          "Quotas",
          "Requests refused because a plan's quota was used up.",
          [[rateBy("plan", "sallyport_quota_refused_total"), "{{plan}}"]],
          { unit: "ops" },
        ),
        series(
          "Traces",
          "Spans, by what became of them.",
          [[rateBy("outcome", "sallyport_trace_spans_total"), "{{outcome}}"]],
          { unit: "ops" },
        ),
      ],
    },
  ],
};
