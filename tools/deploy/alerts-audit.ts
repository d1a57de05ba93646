/** Alerts about the audit log: that it takes records, that they are sealed, and that somebody else has seen the seal. */
import type { AlertGroup } from "./alert.ts";

const of = (name: string, labels = ""): string =>
  `${name}{job="sallyport",instance="a"${labels && `,${labels}`}}`;

export const AUDIT: AlertGroup = {
  name: "sallyport-audit",
  alerts: [
    {
      name: "SallyportAuditNotWritable",
      severity: "page",
      for: "0m",
      expr: "sallyport_audit_writable == 0",
      summary: "The audit log of {{ $labels.instance }} takes no records; its traffic is refused",
      means:
        "What cannot be recorded is refused (503 `audit-unavailable`): the disk is full, read-only or broken.",
      look: "Free space and mount of `audit.path`; the log names the error of the last write.",
      act: "Make room or remount; it goes on by itself. Remove other things before files of the log. One of these may be moved away (never deleted) when it is sealed and copied: `sallyport audit verify` finds nothing that is not sealed yet, and `sallyport_audit_unsealed_records`, `sallyport_audit_witness_lag_records` and `sallyport_audit_sink_lag_bytes` are 0. Without it `verify` says `missing`, so keep it, and put it back.",
      fires: { [of("sallyport_audit_writable")]: "0x30" },
      quiet: { [of("sallyport_audit_writable")]: "1x30" },
    },
    {
      name: "SallyportAuditRefused",
      severity: "page",
      for: "0m",
      expr: "increase(sallyport_audit_refused_total[5m]) > 0",
      summary: "{{ $labels.instance }} refused permits that it could not record",
      means:
        "For moments the log could not take records: it failed, or records came faster than the disk takes them.",
      look: "Pending bytes and time to disk on the audit dashboard; `sallyport_audit_errors_total`.",
      act: "A faster disk, or one of its own, for `audit.path`; less traffic for this proxy.",
      fires: { [of("sallyport_audit_refused_total")]: "0x18 3x30" },
      quiet: { [of("sallyport_audit_refused_total")]: "3x30" },
    },
    {
      name: "SallyportAuditLost",
      severity: "ticket",
      for: "0m",
      expr: "increase(sallyport_audit_lost_total[15m]) > 0",
      summary: "{{ $labels.instance }} could not record how requests ended",
      means:
        "Decisions are on record; completions or events of some are not, because the log could not be written meanwhile.",
      look: "As with SallyportAuditNotWritable.",
      act: "The same. Note the time: an auditor will ask about decisions without an end.",
      fires: { [of("sallyport_audit_lost_total")]: "0x15 3x30" },
      quiet: { [of("sallyport_audit_lost_total")]: "3x30" },
    },
    {
      name: "SallyportAuditDiskSpace",
      severity: "ticket",
      for: "5m",
      expr: "predict_linear(sallyport_audit_free_bytes[1h], 24 * 3600) < 0 or sallyport_audit_free_bytes < 1e9",
      summary:
        "The disk of the audit log of {{ $labels.instance }} has {{ $value | humanize1024 }}B left, or is full within a day",
      means:
        "When it is full, traffic is refused. Denials of strangers are only counted before that, to keep room for permits.",
      look: "Who else writes to this disk; how much a day is recorded (`sallyport_audit_written_bytes_total`).",
      act: "A shorter `audit.keep`, compression, a larger disk, or a disk of its own.",
      fires: { [of("sallyport_audit_free_bytes")]: "100000000000-1000000000x30" },
      quiet: { [of("sallyport_audit_free_bytes")]: "100000000000x30" },
      at: "15m",
    },
    {
      name: "SallyportAuditSyncSlow",
      severity: "ticket",
      for: "10m",
      expr: "histogram_quantile(0.99, sum by (job, instance, le) (rate(sallyport_audit_sync_seconds_bucket[5m]))) > 0.25",
      summary:
        "Records of {{ $labels.instance }} take {{ $value | humanizeDuration }} to reach the disk",
      means: "With `durability: strict` every permitted request waits so long.",
      look: "What else the disk does; its write cache; `sallyport_audit_pending_bytes`.",
      act: "A disk of its own, or `durability: batched` if what it may lose (docs/audit.md) is acceptable.",
      fires: {
        [of("sallyport_audit_sync_seconds_bucket", 'le="0.25"')]: "0+10x40",
        [of("sallyport_audit_sync_seconds_bucket", 'le="1.0"')]: "0+100x40",
        [of("sallyport_audit_sync_seconds_bucket", 'le="+Inf"')]: "0+100x40",
      },
      quiet: {
        [of("sallyport_audit_sync_seconds_bucket", 'le="0.25"')]: "0+100x40",
        [of("sallyport_audit_sync_seconds_bucket", 'le="1.0"')]: "0+100x40",
        [of("sallyport_audit_sync_seconds_bucket", 'le="+Inf"')]: "0+100x40",
      },
      at: "30m",
    },
    {
      name: "SallyportAuditNotSealed",
      severity: "page",
      for: "1m",
      expr: "(sallyport_audit_unsealed_records > 0 and sallyport_audit_checkpoint_age_seconds > 120) or increase(sallyport_audit_checkpoint_failures_total[10m]) > 3",
      summary: "Records of {{ $labels.instance }} are not sealed by a checkpoint",
      means:
        "Until a checkpoint covers them, whoever takes this machine over can change these records without a trace. Traffic goes on.",
      look: "The log (`audit`, `checkpoint`): a disk that cannot be written, a key that cannot be read.",
      act: "Mend what the log names. Then `sallyport audit verify`.",
      fires: {
        [of("sallyport_audit_unsealed_records")]: "5x30",
        [of("sallyport_audit_checkpoint_age_seconds")]: "0+60x30",
      },
      quiet: {
        [of("sallyport_audit_unsealed_records")]: "0x30",
        [of("sallyport_audit_checkpoint_age_seconds")]: "0+60x30",
      },
    },
    {
      name: "SallyportAuditNotWitnessed",
      severity: "page",
      for: "10m",
      expr: "sallyport_audit_witness_lag_records > 0 and on (job, instance, witness) (sallyport_audit_witness_success_age_seconds > 300 or absent_over_time(sallyport_audit_witness_success_age_seconds[10m]))",
      summary:
        "Witness {{ $labels.witness }} has not seen {{ $value }} records of {{ $labels.instance }}",
      means:
        "Who holds the signing key could still rewrite what no witness has seen. Checkpoints wait and are sent again.",
      look: "`sallyport_audit_witness_failures_total` by outcome; the log; the witness itself.",
      act: "`unreachable`: network or witness. `refused`: its key or its list of logs. `forked`: see SallyportAuditForked.",
      fires: {
        [of("sallyport_audit_witness_lag_records", 'witness="w"')]: "50x40",
        [of("sallyport_audit_witness_success_age_seconds", 'witness="w"')]: "0+60x40",
      },
      quiet: {
        [of("sallyport_audit_witness_lag_records", 'witness="w"')]: "50x40",
        [of("sallyport_audit_witness_success_age_seconds", 'witness="w"')]: "8x40",
      },
      at: "30m",
    },
    {
      name: "SallyportAuditForked",
      severity: "page",
      for: "0m",
      expr: 'increase(sallyport_audit_witness_failures_total{outcome="forked"}[1h]) > 0',
      summary:
        "Witness {{ $labels.witness }} has seen another log under the name of {{ $labels.instance }}",
      means:
        "The log that is here does not continue the one that was witnessed: it was restored from a copy, two processes use one name, or somebody rewrote it.",
      look: "`sallyport audit verify --checkpoint FILE` with the witness's last checkpoint says that its first N records make another root, or that the log is shorter. With older ones that the witness keeps: they part between the last that holds and the first that does not.",
      act: "Treat it as a breach until it is explained. Keep the folder as it is; do not restore over it.",
      fires: {
        [of("sallyport_audit_witness_failures_total", 'witness="w",outcome="forked"')]: "0x10 1x30",
      },
      quiet: {
        [of("sallyport_audit_witness_failures_total", 'witness="w",outcome="unreachable"')]:
          "0x10 1x30",
      },
    },
  ],
};
