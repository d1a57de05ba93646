/** Alerts about who is asking: issuers and providers, certificates, what was taken away, signs of a breach. */
import type { AlertGroup } from "./alert.ts";

const of = (name: string, labels = ""): string =>
  `${name}{job="sallyport",instance="a"${labels && `,${labels}`}}`;
const corp = 'authenticator="corp"';
const denied = (reason: string): string =>
  of("sallyport_decisions_total", `route="r",decision="deny",reason="${reason}"`);
const permitted = of("sallyport_decisions_total", 'route="r",decision="permit",reason="permitted"');

export const IDENTITY: AlertGroup = {
  name: "sallyport-identity",
  alerts: [
    {
      name: "SallyportRevocationsStale",
      severity: "page",
      for: "15s",
      expr: "sallyport_feed_staleness_seconds > 5 or sallyport_authority_staleness_seconds > 5",
      summary:
        "{{ $labels.instance }} has not heard for {{ $value | humanizeDuration }} what access was taken away",
      means:
        "Beyond `maxStaleness` (10 s) everything is denied (503 `feed-stale`): nobody knows who was locked out meanwhile.",
      look: "`/readyz`, `sallyport_feed_connected`, the authority and the store behind it, the clocks of both machines.",
      act: "Bring the authority or the network back; proxies follow by themselves.",
      fires: { [of("sallyport_feed_staleness_seconds")]: "30x30" },
      quiet: { [of("sallyport_feed_staleness_seconds")]: "1x30" },
    },
    {
      name: "SallyportFeedRefused",
      severity: "page",
      for: "0m",
      expr: "sum by (job, instance, reason) (increase(sallyport_feed_refused_total[15m])) > 0",
      summary: "{{ $labels.instance }} refused what came over the feed: {{ $labels.reason }}",
      means:
        "A frame was not signed by the authority, came out of order, or could not be read. The proxy keeps what it knew.",
      look: "The log names frame and reason; whether the authority was restored or its key replaced.",
      act: "A signature that is wrong without such a change is an attack on the feed: keep the log, check who is in between.",
      fires: { [of("sallyport_feed_refused_total", 'reason="signature"')]: "0x10 1x30" },
      quiet: { [of("sallyport_feed_refused_total", 'reason="signature"')]: "1x40" },
    },
    {
      name: "SallyportKeySetOld",
      severity: "ticket",
      for: "10m",
      expr: "time() - sallyport_key_set_loaded_timestamp_seconds > 3 * 3600 and sallyport_key_set_loaded_timestamp_seconds > 0",
      summary:
        "Keys of {{ $labels.authenticator }} are {{ $value | humanizeDuration }} old at {{ $labels.instance }}",
      means:
        "The issuer's keys were not fetched for hours. A key that it withdrew is still taken, one that is new is not; beyond the bound of the key set all its tokens are refused.",
      look: "`sallyport_key_set_fetches_total` by outcome, the log (`an issuer's keys could not be fetched`).",
      act: "Reach the issuer's `jwks_uri` from this machine; a proxy or firewall in between is the usual reason.",
      fires: { [of("sallyport_key_set_loaded_timestamp_seconds", corp)]: "1x500" },
      quiet: { [of("sallyport_key_set_loaded_timestamp_seconds", corp)]: "1+60x500" },
      at: "195m",
    },
    {
      name: "SallyportKeySetFetchFailing",
      severity: "ticket",
      for: "10m",
      expr: 'sum by (job, instance, authenticator) (increase(sallyport_key_set_fetches_total{outcome="failed"}[15m])) > 0 unless sum by (job, instance, authenticator) (increase(sallyport_key_set_fetches_total{outcome="ok"}[15m])) > 0',
      summary: "Keys of {{ $labels.authenticator }} cannot be fetched by {{ $labels.instance }}",
      means:
        "Every try of the last quarter of an hour failed. What was fetched before still counts, up to its bound.",
      look: "The log says why: name, TLS, timeout, or what came is no key set.",
      act: "As with SallyportKeySetOld, with more time.",
      fires: { [of("sallyport_key_set_fetches_total", `${corp},outcome="failed"`)]: "0+1x40" },
      quiet: {
        [of("sallyport_key_set_fetches_total", `${corp},outcome="failed"`)]: "0+1x40",
        [of("sallyport_key_set_fetches_total", `${corp},outcome="ok"`)]: "0+1x40",
      },
      at: "30m",
    },
    {
      name: "SallyportNoKeys",
      severity: "page",
      for: "5m",
      expr: "sallyport_key_set_keys == 0",
      summary:
        "{{ $labels.instance }} has no key of {{ $labels.authenticator }}; its tokens are refused",
      means:
        "The issuer's keys never came, or its set has none that can be used. Its callers get 503 `identity-unavailable` or 401.",
      look: "As with SallyportKeySetFetchFailing; `keys of an issuer are not used` in the log.",
      act: "Reach the issuer's `jwks_uri` from this machine, now: its callers are locked out. If the issuer has moved, `issuer` or `jwks` of the authenticator, and a reload.",
      fires: { [of("sallyport_key_set_keys", corp)]: "0x30" },
      quiet: { [of("sallyport_key_set_keys", corp)]: "2x30" },
    },
    {
      name: "SallyportProviderFailing",
      severity: "page",
      for: "5m",
      expr: 'sum by (job, authenticator) (rate(sallyport_provider_questions_total{outcome="failed"}[5m])) / sum by (job, authenticator) (rate(sallyport_provider_questions_total[5m])) > 0.1',
      summary:
        "{{ $labels.authenticator }} does not answer {{ $value | humanizePercentage }} of questions about credentials",
      means:
        "Introspection or TokenReview fails. Credentials that are not known yet are refused (503 `identity-unavailable`).",
      look: "Latency and outcomes on the identity dashboard; the provider's own status.",
      act: "Bring the provider back. `serveStale` bridges an outage, at the price of learning later what it took away.",
      fires: {
        [of("sallyport_provider_questions_total", `${corp},outcome="failed"`)]: "0+5x30",
        [of("sallyport_provider_questions_total", `${corp},outcome="ok"`)]: "0+5x30",
      },
      quiet: {
        [of("sallyport_provider_questions_total", `${corp},outcome="failed"`)]: "0x30",
        [of("sallyport_provider_questions_total", `${corp},outcome="ok"`)]: "0+5x30",
      },
    },
    {
      name: "SallyportCertificateExpires",
      severity: "ticket",
      for: "1h",
      expr: 'sallyport_tls_certificate_not_after_seconds{listener!="authority"} > 0 and sallyport_tls_certificate_not_after_seconds - time() < 14 * 86400',
      summary:
        "A certificate of listener {{ $labels.listener }} of {{ $labels.instance }} expires within two weeks",
      means: "Afterwards no caller can connect to this listener.",
      look: "`openssl x509 -enddate -in …` of the files that `tls` names; who renews them.",
      act: "Put the renewed files in place; they are read again by themselves or by SIGHUP.",
      fires: {
        [of("sallyport_tls_certificate_not_after_seconds", 'listener="edge"')]: "100000x120",
      },
      quiet: {
        [of("sallyport_tls_certificate_not_after_seconds", 'listener="edge"')]: "9000000x120",
        [of("sallyport_tls_certificate_not_after_seconds", 'listener="authority"')]: "86400x120",
      },
      at: "65m",
    },
    {
      name: "SallyportCertificateExpiresSoon",
      severity: "page",
      for: "5m",
      expr: 'sallyport_tls_certificate_not_after_seconds{listener!="authority"} > 0 and sallyport_tls_certificate_not_after_seconds - time() < 86400',
      summary:
        "A certificate of listener {{ $labels.listener }} of {{ $labels.instance }} expires within a day",
      means:
        "As above, and now. Certificates that live shorter than a day (SPIFFE) are not meant: set this to a third of their life.",
      look: "As with SallyportCertificateExpires.",
      act: "Put the renewed files in place today; they are read again by themselves or by SIGHUP.",
      fires: { [of("sallyport_tls_certificate_not_after_seconds", 'listener="edge"')]: "50000x30" },
      quiet: {
        [of("sallyport_tls_certificate_not_after_seconds", 'listener="edge"')]: "9000000x30",
        [of("sallyport_tls_certificate_not_after_seconds", 'listener="authority"')]: "86400x30",
      },
    },
    {
      name: "SallyportAuthorityCertificateLate",
      severity: "page",
      for: "5m",
      expr: 'sallyport_tls_certificate_not_after_seconds{listener="authority"} > 0 and sallyport_tls_certificate_not_after_seconds - time() < 21600',
      summary:
        "The certificate that {{ $labels.instance }} shows machines expires within six hours",
      means:
        "It lives for a day and is renewed by itself with some twelve hours left or more, and was not. Afterwards no proxy can follow, and no machine enrols or renews.",
      look: "`the authority's server certificate cannot be renewed` in the log; on a relay, `sallyport_identity_expires_seconds`.",
      act: "As with SallyportSigningKeyLate; on a relay, as with SallyportIdentityExpires.",
      fires: {
        [of("sallyport_tls_certificate_not_after_seconds", 'listener="authority"')]: "20000x30",
      },
      quiet: {
        [of("sallyport_tls_certificate_not_after_seconds", 'listener="authority"')]: "43200x30",
      },
    },
    {
      name: "SallyportIdentityExpires",
      severity: "page",
      for: "5m",
      expr: "sallyport_identity_expires_seconds < 600",
      summary: "The identity of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}",
      means:
        "This machine could not renew the certificate by which its authority knows it. Afterwards it follows no feed and denies.",
      look: "`sallyport_enrolment_requests_total` at the authority; the log here.",
      act: "Let it reach the authority; if its identity has expired, enrol it again (docs/enrolment.md).",
      fires: { [of("sallyport_identity_expires_seconds")]: "300x30" },
      quiet: { [of("sallyport_identity_expires_seconds")]: "4000x30" },
    },
    {
      name: "SallyportRefusalsUnusual",
      severity: "ticket",
      for: "10m",
      expr: 'sum by (job) (rate(sallyport_decisions_total{decision="deny"}[5m])) / sum by (job) (rate(sallyport_decisions_total[5m])) > 0.5 and sum by (job) (rate(sallyport_decisions_total{decision="deny"}[5m])) > 1',
      summary: "{{ $value | humanizePercentage }} of requests to {{ $labels.job }} are refused",
      means:
        "More is refused than let in: credentials are tried, a client has lost its own, or a policy was changed for the worse.",
      look: "Refusals by reason on the gate dashboard; `sallyport audit search --decision deny` for who and from where.",
      act: "One principal: `sallyport revocations block --authenticator NAME --subject SUB`. One address: the firewall or balancer in front. All of one client: its owner. Since a reload: go back.",
      fires: { [denied("no-permit")]: "0+120x40", [permitted]: "0+60x40" },
      quiet: { [denied("no-permit")]: "0+60x40", [permitted]: "0+600x40" },
      at: "30m",
    },
    {
      name: "SallyportReplayedProof",
      severity: "ticket",
      for: "0m",
      expr: 'sum by (job, reason) (increase(sallyport_decisions_total{reason=~"replayed-.*"}[15m])) > 0',
      summary: "A proof or an assertion was used twice ({{ $labels.reason }})",
      means:
        "Somebody sent again what was used before. Clients that retry whole requests do that; so does who listened.",
      look: "The records (`sallyport audit search --reason REASON`, with the reason of the alert): same client, same address, seconds apart is a retry; another address is not.",
      act: "From another address: block whose it is (`sallyport revocations block --authenticator NAME --subject SUB`), find out where it was read.",
      fires: { [denied("replayed-proof")]: "0x10 1x30" },
      quiet: { [denied("replayed-proof")]: "1x40" },
    },
    {
      name: "SallyportRevokedCredentialUsed",
      severity: "info",
      for: "0m",
      expr: "sum by (job, kind) (increase(sallyport_revocation_denials_total[15m])) > 0",
      summary: "Something that was taken away is still used ({{ $labels.kind }})",
      means: "A revoked credential, subject or key was presented and refused.",
      look: "The records with reason `credential-revoked`: who still has it.",
      act: "Nothing, when it is the client that was locked out; else see docs/leaked-key.md.",
      fires: { [of("sallyport_revocation_denials_total", 'kind="credential"')]: "0x10 1x30" },
      quiet: { [of("sallyport_revocation_denials_total", 'kind="credential"')]: "1x40" },
    },
    {
      name: "SallyportMachineSuspicious",
      severity: "page",
      for: "0m",
      expr: "sallyport_workloads_suspicious > 0",
      summary: "A key of a machine that had been replaced was used again",
      means:
        "Two hold the identity of one machine: it was copied, or a machine was restored from an old image.",
      look: "`sallyport workloads list` shows which.",
      act: "Disable it (`sallyport workloads disable NAME`), enrol the right machine anew.",
      fires: { [of("sallyport_workloads_suspicious")]: "1x30" },
      quiet: { [of("sallyport_workloads_suspicious")]: "0x30" },
    },
  ],
};
