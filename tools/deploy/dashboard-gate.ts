/** What the gate decides, how long it takes, and what limits do. */
import { type Dashboard, of, quantile, rate, rateBy, series, stat, table } from "./dashboard.ts";

const decisions = "sallyport_decisions_total";
const gate = "sallyport_gate_seconds";
const lookups = "sallyport_facts_cache_lookups_total";

export const GATE: Dashboard = {
  name: "gate",
  title: "Sallyport: gate and policies",
  description:
    "Decisions by reason and route, their latency, limits, revocations and open streams.",
  rows: [
    {
      title: "Now",
      panels: [
        stat("Decisions", "A second.", `sum(${rate(decisions)})`, { unit: "ops" }),
        stat(
          "Refused",
          "Share of decisions that deny.",
          `sum(${rate(decisions, 'decision="deny"')}) / sum(${rate(decisions)}) or vector(0)`,
          { unit: "percentunit", thresholds: [0.2, 0.5] },
        ),
        stat(
          "Our own errors",
          "Denials because the gate itself failed, in the last hour. Always 0.",
          `sum(increase(${of(decisions, 'reason="internal-error"')}[1h])) or vector(0)`,
          { unit: "none", thresholds: [1, 1] },
        ),
        stat(
          "Policy errors",
          "Denials because a policy could not be evaluated, in the last hour.",
          `sum(increase(${of(decisions, 'reason="policy-error"')}[1h])) or vector(0)`,
          { unit: "none", thresholds: [1, 10] },
        ),
        stat(
          "Tokens verified",
          "Share of decisions for which a token had to be verified. The others had one that was known, or none.",
          `sum(${rate("sallyport_token_verifications_total")}) / sum(${rate(decisions)})`,
          { unit: "percentunit" },
        ),
        stat(
          "Last reload",
          "Whether what was last asked for is in force.",
          `min(${of("sallyport_config_last_reload_successful")})`,
          { unit: "none", thresholds: [1, 0.5], says: { 0: "refused", 1: "in force" } },
        ),
      ],
    },
    {
      title: "Decisions",
      panels: [
        series(
          "By outcome",
          "Permits and denials.",
          [[rateBy("decision", decisions), "{{decision}}"]],
          { unit: "ops", stacked: true },
        ),
        series(
          "Refusals by reason",
          "Reasons are a closed list: docs/errors.md.",
          [[rateBy("reason", decisions, 'decision="deny"'), "{{reason}}"]],
          { unit: "ops", stacked: true },
        ),
        series(
          "Refusals by route",
          "Where callers are turned away. `(none)`: no route took the request.",
          [[rateBy("route", decisions, 'decision="deny"'), "{{route}}"]],
          { unit: "ops", stacked: true },
        ),
        series(
          "Latency",
          "Microseconds when every fact is at hand; longer where something is fetched.",
          [
            [quantile(0.5, gate, "decision"), "p50 {{decision}}"],
            [quantile(0.99, gate, "decision"), "p99 {{decision}}"],
          ],
          { unit: "s" },
        ),
        series(
          "Cached facts",
          "Verified credentials that are kept, and look-ups.",
          [[`sum(${of("sallyport_facts_cache_entries")})`, "kept"]],
          { unit: "short" },
        ),
        series(
          "Look-ups of facts",
          "In the cache behind the tables of recent tokens, which most known ones do not go past: few hits are no fault. A new one is looked up twice.",
          [[rateBy("result", lookups), "{{result}}"]],
          { unit: "ops" },
        ),
      ],
    },
    {
      title: "Limits, revocations, streams",
      panels: [
        series(
          "Refused by a limit",
          "Rates and concurrency of routes.",
          [[rateBy("limit", "sallyport_limited_total"), "{{limit}}"]],
          { unit: "ops" },
        ),
        series(
          "Held by limits",
          "Keys that are counted, requests that hold a place.",
          [
            [`sum(${of("sallyport_limit_keys")})`, "keys"],
            [`sum(${of("sallyport_limit_in_flight")})`, "places"],
          ],
          { unit: "short" },
        ),
        series(
          "Failed verifications",
          "Counted against the address that sent them.",
          [[`sum(${rate("sallyport_failure_budget_charges_total")})`, "charged"]],
          { unit: "ops" },
        ),
        series(
          "Denied by revocations",
          "By what the revocation names.",
          [[rateBy("kind", "sallyport_revocation_denials_total"), "{{kind}}"]],
          { unit: "ops", needs: "something that was revoked and is used" },
        ),
        series(
          "Open streams",
          "Upgraded connections and long responses: decided about again when something changes.",
          [[`sum by (kind) (${of("sallyport_open_streams")})`, "{{kind}}"]],
          { unit: "short", needs: "a stream that was opened" },
        ),
        table(
          "Configuration in force",
          "Its hash, by process: the same everywhere once a change is through.",
          of("sallyport_config_info"),
          { unit: "none" },
        ),
      ],
    },
  ],
};
