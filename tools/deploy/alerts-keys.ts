/** Alerts about issued keys, signing keys and the store. */
import type { AlertGroup } from "./alert.ts";

const of = (name: string, labels = ""): string =>
  `${name}{job="sallyport",instance="a"${labels && `,${labels}`}}`;
const token = (outcome: string): string =>
  of("sallyport_token_requests_total", `endpoint="token",outcome="${outcome}"`);
const seconds = (le: string): string =>
  of("sallyport_token_seconds_bucket", `endpoint="token",le="${le}"`);
const store = (le: string): string => of("sallyport_store_seconds_bucket", `verb="get",le="${le}"`);

export const KEYS: AlertGroup = {
  name: "sallyport-keys",
  alerts: [
    {
      name: "SallyportTokenEndpointFailing",
      severity: "page",
      for: "5m",
      expr: 'sum by (job) (rate(sallyport_token_requests_total{outcome=~"server_error|temporarily_unavailable"}[5m])) / sum by (job) (rate(sallyport_token_requests_total{endpoint="token"}[5m])) > 0.05',
      summary: "{{ $value | humanizePercentage }} of requests for keys fail at {{ $labels.job }}",
      means: "Services that need a key will soon have none: theirs live for minutes.",
      look: "Keys dashboard: by grant and reason; the store; signing keys.",
      act: "Follow the reason: `identity-unavailable` is a signer or the store, `audit-unavailable` the disk, `too-many-failures` one client.",
      fires: { [token("server_error")]: "0+10x30", [token("issued")]: "0+90x30" },
      quiet: { [token("invalid_client")]: "0+10x30", [token("issued")]: "0+90x30" },
    },
    {
      name: "SallyportTokenEndpointSlow",
      severity: "ticket",
      for: "10m",
      expr: 'histogram_quantile(0.99, sum by (job, le) (rate(sallyport_token_seconds_bucket{endpoint="token"}[5m]))) > 1',
      summary: "One key in a hundred takes {{ $value | humanizeDuration }} at {{ $labels.job }}",
      means:
        "Clients wait for keys: the store, a provider, the supervisor that signs, or the disk is slow.",
      look: "Signing time, store latency and time to disk, side by side on the keys dashboard.",
      act: "Mend the slowest. Store: SallyportStoreSlow. Provider: SallyportProviderFailing. Disk: SallyportAuditSyncSlow. Signing: more processor for the supervisor.",
      fires: {
        [seconds("1.0")]: "0+50x40",
        [seconds("2.5")]: "0+100x40",
        [seconds("+Inf")]: "0+100x40",
      },
      quiet: {
        [seconds("1.0")]: "0+100x40",
        [seconds("2.5")]: "0+100x40",
        [seconds("+Inf")]: "0+100x40",
      },
      at: "30m",
    },
    {
      name: "SallyportSigningKeyLate",
      severity: "page",
      for: "5m",
      expr: "sallyport_signing_key_rotation_due_seconds < -300 or sallyport_certificate_authority_rotation_due_seconds < -300 or increase(sallyport_signing_key_failures_total[15m]) > 0 or increase(sallyport_certificate_authority_failures_total[15m]) > 0",
      summary: "{{ $labels.instance }} cannot keep its signing keys as scheduled",
      means:
        "The next key should sign by now and does not: the store cannot be written, or no replica is up that may. Soon nothing can be signed.",
      look: "The log of the authority; the store.",
      act: "Bring the store back; keys follow by themselves.",
      fires: { [of("sallyport_signing_key_rotation_due_seconds", 'use="tokens"')]: "-4000x30" },
      quiet: { [of("sallyport_signing_key_rotation_due_seconds", 'use="tokens"')]: "4000x30" },
    },
    {
      name: "SallyportEgressKeyMissing",
      severity: "page",
      for: "2m",
      expr: "sallyport_egress_key_seconds == 0",
      summary: "The sidecar {{ $labels.instance }} has no key for {{ $labels.service }}",
      means: "Requests of the caller beside it to this service are answered 503 `key-unavailable`.",
      look: "`sallyport_egress_keys_total` by outcome: refused (policy or identity) or unavailable (the authority).",
      act: "Refused: `sallyport explain` of the decision at the authority. Unavailable: the way there.",
      fires: { [of("sallyport_egress_key_seconds", 'service="billing"')]: "0x30" },
      quiet: { [of("sallyport_egress_key_seconds", 'service="billing"')]: "200x30" },
    },
    {
      name: "SallyportStoreFailing",
      severity: "page",
      for: "2m",
      expr: "sum by (job, instance, code) (increase(sallyport_store_failures_total[5m])) > 0",
      summary: "The store of {{ $labels.instance }} fails: {{ $labels.code }}",
      means:
        "Keys, clients, machines and revocations are read from it and written to it. What is known goes on; what is new does not come, and after `maxStaleness` all is denied.",
      look: "Postgres or the disk of the SQLite file; `sallyport_store_waiting` for a pool that is used up.",
      act: "Bring it back (docs/store.md).",
      fires: {
        [of("sallyport_store_failures_total", 'verb="get",code="store-unavailable"')]: "0+1x30",
      },
      quiet: {
        [of("sallyport_store_failures_total", 'verb="get",code="store-unavailable"')]: "3x30",
      },
    },
    {
      name: "SallyportStoreSlow",
      severity: "ticket",
      for: "10m",
      expr: "histogram_quantile(0.99, sum by (job, instance, le) (rate(sallyport_store_seconds_bucket[5m]))) > 0.5",
      summary: "The store of {{ $labels.instance }} takes {{ $value | humanizeDuration }}",
      means: "Revocations come into force later, keys are issued more slowly.",
      look: "By verb on the keys dashboard; locks and load of the database.",
      act: "Postgres: what waits in `pg_stat_activity`, its disk, its distance. SQLite: a local disk that nothing else keeps busy (docs/store.md).",
      fires: { [store("0.5")]: "0+50x40", [store("1.0")]: "0+100x40", [store("+Inf")]: "0+100x40" },
      quiet: {
        [store("0.5")]: "0+100x40",
        [store("1.0")]: "0+100x40",
        [store("+Inf")]: "0+100x40",
      },
      at: "30m",
    },
  ],
};
