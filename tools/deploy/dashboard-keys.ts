/** Keys for services: issued, signed, taken back; the store; the feed. */
import { type Dashboard, of, quantile, rate, rateBy, series, stat } from "./dashboard.ts";

const requests = "sallyport_token_requests_total";
const FEED = "an authority that serves proxies";
const FOLLOWER = "a proxy that follows an authority";

export const KEYS_AND_STORE: Dashboard = {
  name: "keys",
  title: "Sallyport: keys and store",
  description:
    "The token endpoint by grant and reason; signing keys; the store; revocations and the feed.",
  rows: [
    {
      title: "Now",
      panels: [
        stat("Keys issued", "A second.", `sum(${rate(requests, 'outcome="issued"')})`, {
          unit: "ops",
        }),
        stat(
          "Refused",
          "Share of requests for keys that were refused.",
          `1 - sum(${rate(requests, 'endpoint="token",outcome="issued"')}) / sum(${rate(requests, 'endpoint="token"')})`,
          { unit: "percentunit", thresholds: [0.2, 0.5] },
        ),
        stat(
          "p99 latency",
          "Of the token endpoint.",
          quantile(0.99, "sallyport_token_seconds", "", 'endpoint="token"'),
          { unit: "s", thresholds: [0.5, 1] },
        ),
        stat("p99 of the store", "All verbs.", quantile(0.99, "sallyport_store_seconds"), {
          unit: "s",
          thresholds: [0.1, 0.5],
        }),
        stat(
          "Staleness",
          "Since the authority last knew that it has read everything.",
          `max(${of("sallyport_authority_staleness_seconds")})`,
          { unit: "s", thresholds: [5, 10] },
        ),
        stat("Revocations", "In force.", `max(${of("sallyport_revocations")})`, { unit: "short" }),
      ],
    },
    {
      title: "Keys for services",
      panels: [
        series(
          "Keys by grant",
          "Issued, by how they were asked for.",
          [[rateBy("grant", "sallyport_token_grants_total", 'outcome="issued"'), "{{grant}}"]],
          { unit: "ops" },
        ),
        series(
          "Refusals by reason",
          "As they are on record.",
          [
            [
              rateBy("grant, reason", "sallyport_token_grants_total", 'outcome!="issued"'),
              "{{grant}} {{reason}}",
            ],
          ],
          { unit: "ops", stacked: true },
        ),
        series(
          "Requests by endpoint",
          "Token, introspection, revocation, metadata.",
          [[rateBy("endpoint, outcome", requests), "{{endpoint}} {{outcome}}"]],
          { unit: "ops" },
        ),
        series(
          "Time of the token endpoint",
          "What a service waits for its key.",
          [
            [quantile(0.5, "sallyport_token_seconds", "endpoint"), "p50 {{endpoint}}"],
            [quantile(0.99, "sallyport_token_seconds", "endpoint"), "p99 {{endpoint}}"],
          ],
          { unit: "s" },
        ),
        series(
          "Time of signing",
          "A worker asks its supervisor.",
          [
            [quantile(0.5, "sallyport_token_signing_seconds"), "p50"],
            [quantile(0.99, "sallyport_token_signing_seconds"), "p99"],
          ],
          { unit: "s" },
        ),
        series(
          "Keys of sidecars",
          "Time that the key at hand is good for; 0: there is none.",
          [[`min by (service) (${of("sallyport_egress_key_seconds")})`, "{{service}}"]],
          { unit: "s", needs: "a sidecar (`egress`)" },
        ),
      ],
    },
    {
      title: "Signing keys",
      panels: [
        series(
          "Signing keys",
          "By use and state: states that a key is in.",
          [[`max by (use, state) (${of("sallyport_signing_keys")}) > 0`, "{{use}} {{state}}"]],
          { unit: "short", stacked: true },
        ),
        series(
          "Rotation due",
          "Until the successor signs; below 0 it is late.",
          [[`min by (use) (${of("sallyport_signing_key_rotation_due_seconds")})`, "{{use}}"]],
          { unit: "s" },
        ),
        series(
          "Machines",
          "In the register, by state.",
          [[`max by (state) (${of("sallyport_workloads")})`, "{{state}}"]],
          { unit: "short", needs: "an authority that enrols machines" },
        ),
      ],
    },
    {
      title: "Store and feed",
      panels: [
        series(
          "Time of the store",
          "p99 by verb.",
          [[quantile(0.99, "sallyport_store_seconds", "verb"), "{{verb}}"]],
          { unit: "s" },
        ),
        series(
          "Verbs of the store",
          "A second, by verb.",
          [[rateBy("verb", "sallyport_store_seconds_count"), "{{verb}}"]],
          { unit: "ops" },
        ),
        series(
          "Waiting",
          "Verbs that have not ended; connections to Postgres.",
          [
            [`sum(${of("sallyport_store_in_flight")})`, "in flight"],
            [`sum by (state) (${of("sallyport_store_connections")})`, "connections {{state}}"],
          ],
          { unit: "short" },
        ),
        series(
          "Failures of the store",
          "By verb and code.",
          [[rateBy("verb, code", "sallyport_store_failures_total"), "{{verb}} {{code}}"]],
          { unit: "ops", needs: "a store that failed" },
        ),
        series(
          "Followers",
          "Proxies that follow this authority.",
          [[`sum by (instance) (${of("sallyport_feed_followers")})`, "{{instance}}"]],
          { unit: "short", needs: FEED },
        ),
        series(
          "Staleness of proxies",
          "Since the authority vouched for what a proxy knows. Beyond `maxStaleness` it denies.",
          [[of("sallyport_feed_staleness_seconds"), "{{instance}}"]],
          { unit: "s", needs: FOLLOWER },
        ),
      ],
    },
  ],
};
