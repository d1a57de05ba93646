/** Alerts about those who read the record: the thread that keeps it, copies, signs of a breach, usage, traces. */
import type { AlertGroup } from "./alert.ts";

const of = (name: string, labels = ""): string =>
  `${name}{job="sallyport",instance="a"${labels && `,${labels}`}}`;

export const SEEING: AlertGroup = {
  name: "sallyport-seeing",
  alerts: [
    {
      name: "SallyportAuditKeeperDown",
      severity: "page",
      for: "2m",
      expr: 'sallyport_audit_keeper{state="down"} == 1 or sallyport_audit_consumer_failing == 1',
      summary:
        "What keeps the audit log of {{ $labels.instance }} does not get on {{ $labels.consumer }}",
      means:
        "The thread that seals, counts, watches and copies the log, or one of its parts, fails and is tried again. Traffic goes on and is recorded; nothing is sealed meanwhile.",
      look: "The log names the part and the error: a disk that cannot be read or written, a damaged file of the tree.",
      act: "Mend that. It goes on from where it stood; nothing is lost.",
      fires: { [of("sallyport_audit_keeper", 'state="down"')]: "1x30" },
      quiet: {
        [of("sallyport_audit_keeper", 'state="down"')]: "0x30",
        [of("sallyport_audit_keeper", 'state="running"')]: "1x30",
      },
    },
    {
      name: "SallyportSinkLagging",
      severity: "ticket",
      for: "5m",
      expr: "sallyport_audit_sink_lag_seconds > 300",
      summary:
        "Sink {{ $labels.sink }} of {{ $labels.instance }} is {{ $value | humanizeDuration }} behind",
      means:
        "Its receiver is away or too slow. Traffic does not notice; beyond `maxLag` the sink leaves records out.",
      look: "`sallyport_audit_sink_failures_total`, the log, the receiver.",
      act: "Bring the receiver back; the sink goes on from its position.",
      fires: { [of("sallyport_audit_sink_lag_seconds", 'sink="siem"')]: "900x30" },
      quiet: { [of("sallyport_audit_sink_lag_seconds", 'sink="siem"')]: "2x30" },
    },
    {
      name: "SallyportSinkIncomplete",
      severity: "ticket",
      for: "0m",
      expr: "sum by (job, instance, sink) (increase(sallyport_audit_sink_skipped_bytes_total[15m])) > 0 or sum by (job, instance, sink) (increase(sallyport_audit_sink_refused_records_total[15m])) > 0",
      summary: "The copy at sink {{ $labels.sink }} of {{ $labels.instance }} has a gap",
      means:
        "The sink went past records that it had not delivered, or its receiver refused some for good. The log itself has them.",
      look: "`sallyport_audit_sink_skipped_bytes_total` by cause; what the receiver answers.",
      act: "Bring the missing time over by hand: `sallyport audit export`.",
      fires: {
        [of("sallyport_audit_sink_skipped_bytes_total", 'sink="siem",cause="lag"')]: "0x10 5000x30",
      },
      quiet: {
        [of("sallyport_audit_sink_skipped_bytes_total", 'sink="siem",cause="lag"')]: "5000x40",
      },
    },
    {
      name: "SallyportSignOfBreach",
      severity: "page",
      for: "0m",
      expr: "sum by (job, sign) (increase(sallyport_signs_total[10m])) > 0",
      summary: "It looks like an attack: {{ $labels.sign }}",
      means:
        "A rule over recorded decisions found what attacks look like: bursts of refusals, probing of routes, a token at two places, use of what was revoked or replayed.",
      look: "The event in the audit log names principal, address and decisions (`sallyport audit search --event NAME`, with the sign as its name).",
      act: "If it is one: `sallyport revocations block --authenticator NAME --subject SUB` (the principal of the event is NAME/SUB); without an authority, or of an address: docs/signs.md, Taking access away. If not: raise that sign's threshold, so that the next one is believed.",
      fires: { [of("sallyport_signs_total", 'sign="route-probing"')]: "0x12 1x30" },
      quiet: { [of("sallyport_signs_total", 'sign="route-probing"')]: "1x40" },
    },
    {
      name: "SallyportSignUnanswered",
      severity: "page",
      for: "0m",
      expr: 'sum by (job, sign, outcome) (increase(sallyport_signs_answered_total{outcome=~"failed|late"}[10m])) > 0',
      summary:
        "Sign {{ $labels.sign }} was not answered ({{ $labels.outcome }}): the principal still has access",
      means:
        "`signs.answer` was to take access away, and did not: the authority or its store could not take the revocation (`failed`), or the sign was found more than five minutes after what it is about (`late`). It is not tried again within `repeat`.",
      look: "The log: `a sign of a breach could not be answered` names the sign, the principal and the error; `found too late` names sign and principal. Then SallyportStoreFailing, or SallyportAuditKeeperDown for what was late.",
      act: "Look at the decisions of the sign's event (`sallyport audit search --event NAME`), and take the access away by hand where it is one: `sallyport revocations block --authenticator NAME --subject SUB`. Then mend the cause.",
      fires: {
        [of("sallyport_signs_answered_total", 'sign="two-places",outcome="failed"')]: "0x12 1x30",
      },
      quiet: {
        [of("sallyport_signs_answered_total", 'sign="two-places",outcome="failed"')]: "1x40",
        [of("sallyport_signs_answered_total", 'sign="two-places",outcome="blocked"')]: "0x12 1x30",
      },
    },
    {
      name: "SallyportQuotaExceeded",
      severity: "info",
      for: "0m",
      expr: "sum by (job, plan) (increase(sallyport_quota_exceeded_total[30m])) > 0",
      summary: "A principal of plan {{ $labels.plan }} has used up its quota",
      means: "Its requests are answered 429 `quota-exceeded` until the next period.",
      look: "Who: `sallyport audit search --event quota-exceeded`; for what: `sallyport usage report --principal NAME/SUB --by route`.",
      act: "Talk to them, or give them a larger plan.",
      fires: { [of("sallyport_quota_exceeded_total", 'plan="free"')]: "0x5 1x30" },
      quiet: { [of("sallyport_quota_exceeded_total", 'plan="free"')]: "1x40" },
    },
    {
      name: "SallyportTracesDropped",
      severity: "info",
      for: "10m",
      expr: 'sum by (job, instance) (rate(sallyport_trace_spans_total{outcome!="exported"}[5m])) > 0',
      summary: "{{ $labels.instance }} drops {{ $value | humanize }} spans a second",
      means:
        "The collector of traces is away, refuses them, or takes them too slowly. Nothing else is touched.",
      look: "`sallyport_trace_spans_total` by outcome, the collector.",
      act: "Bring it back, or lower the sampling rate.",
      fires: { [of("sallyport_trace_spans_total", 'outcome="dropped"')]: "0+60x40" },
      quiet: { [of("sallyport_trace_spans_total", 'outcome="exported"')]: "0+60x40" },
      at: "30m",
    },
  ],
};
