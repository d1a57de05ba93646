/** Who is asking: verifications, issuers and providers, certificates. */
import { type Dashboard, of, quantile, rateBy, series, stat } from "./dashboard.ts";

const verifications = "sallyport_token_verifications_total";
const loaded = "sallyport_key_set_loaded_timestamp_seconds";
const notAfter = "sallyport_tls_certificate_not_after_seconds";
const PROVIDER = "an authenticator that asks a provider: introspection or kubernetes";

export const IDENTITY: Dashboard = {
  name: "identity",
  title: "Sallyport: identity and issuers",
  description:
    "Outcomes of verifications by authenticator; keys of issuers and how old they are; providers that are asked; certificates.",
  rows: [
    {
      title: "Credentials",
      panels: [
        series(
          "Tokens verified",
          "Of each authenticator: tokens that were not known yet.",
          [[rateBy("authenticator", verifications, 'outcome="verified"'), "{{authenticator}}"]],
          { unit: "ops" },
        ),
        series(
          "Tokens refused",
          "Why not, by authenticator.",
          [
            [
              rateBy("authenticator, outcome", verifications, 'outcome!="verified"'),
              "{{authenticator}} {{outcome}}",
            ],
          ],
          { unit: "ops", stacked: true },
        ),
        series(
          "Proofs of possession",
          "DPoP, by outcome.",
          [[rateBy("outcome", "sallyport_dpop_proofs_total"), "{{outcome}}"]],
          { unit: "ops", needs: "callers with DPoP" },
        ),
        series(
          "Certificates of callers",
          "Looked at once a connection, by outcome.",
          [
            [
              rateBy("authenticator, outcome", "sallyport_certificate_verifications_total"),
              "{{authenticator}} {{outcome}}",
            ],
          ],
          { unit: "ops", needs: "an authenticator of type mtls" },
        ),
        series(
          "Logins and sessions",
          "What became of browser sessions.",
          [
            [rateBy("event", "sallyport_sessions_total"), "{{event}}"],
            [rateBy("outcome", "sallyport_login_outcomes_total"), "{{outcome}}"],
          ],
          { unit: "ops", needs: "an authenticator of type oidc" },
        ),
        series(
          "TLS handshakes",
          "By outcome.",
          [
            [
              rateBy("listener, outcome", "sallyport_tls_handshakes_total"),
              "{{listener}} {{outcome}}",
            ],
          ],
          { unit: "ops" },
        ),
      ],
    },
    {
      title: "Issuers",
      panels: [
        series(
          "Age of key sets",
          "Since an issuer's keys last came: they are fetched again within the hour.",
          [[`time() - ${of(loaded)}`, "{{authenticator}}"]],
          { unit: "s" },
        ),
        series(
          "Keys",
          "Usable keys of each issuer. At 0 its tokens are refused.",
          [[`min by (authenticator) (${of("sallyport_key_set_keys")})`, "{{authenticator}}"]],
          { unit: "short" },
        ),
        series(
          "Fetches of keys",
          "By outcome; each failure is tried again after a longer pause.",
          [
            [
              rateBy("authenticator, outcome", "sallyport_key_set_fetches_total"),
              "{{authenticator}} {{outcome}}",
            ],
          ],
          { unit: "ops" },
        ),
        series(
          "Time of fetches",
          "How long an issuer took to give its keys, on average since the start.",
          [
            [
              `sum by (authenticator) (${of("sallyport_key_set_fetch_seconds_sum")}) / sum by (authenticator) (${of("sallyport_key_set_fetch_seconds_count")})`,
              "{{authenticator}}",
            ],
          ],
          { unit: "s" },
        ),
        series(
          "Questions to providers",
          "Introspection and TokenReview, by whether there was an answer.",
          [
            [
              rateBy("authenticator, outcome", "sallyport_provider_questions_total"),
              "{{authenticator}} {{outcome}}",
            ],
          ],
          { unit: "ops", needs: PROVIDER },
        ),
        series(
          "Time of providers",
          "p99 of their answers: what a caller with a new token waits for.",
          [[quantile(0.99, "sallyport_provider_seconds", "authenticator"), "{{authenticator}}"]],
          { unit: "s", needs: PROVIDER },
        ),
      ],
    },
    {
      title: "Certificates",
      panels: [
        stat(
          "First certificate to expire",
          "Time that is left to the first of all listeners' certificates, save those that an authority shows machines: they live for a day and are renewed by themselves.",
          `min(${of(notAfter, 'listener!="authority"')} > 0) - time()`,
          { unit: "s", width: 8, thresholds: [1_209_600, 86_400] },
        ),
        series(
          "Certificates of listeners",
          "Time left.",
          [[`(${of(notAfter)} > 0) - time()`, "{{instance}} {{listener}}"]],
          { unit: "s" },
        ),
        series(
          "Own identities",
          "Time left to what machines were enrolled with, and to our own SVID.",
          [
            [of("sallyport_identity_expires_seconds"), "{{instance}}"],
            [`${of("sallyport_workload_svid_not_after_seconds")} - time()`, "{{instance}} SVID"],
          ],
          { unit: "s", needs: "a proxy that follows an authority, or the SPIFFE Workload API" },
        ),
      ],
    },
  ],
};
