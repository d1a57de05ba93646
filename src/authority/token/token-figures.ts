/** What the token endpoint and those beside it count. No label value comes from a caller. */
import type { Counter, Family, Histogram, Metrics } from "../../model/ports.ts";

/** Seconds: a signature and a few look-ups take a millisecond, a provider that is asked up to its timeout. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface TokenFigures {
  /** By endpoint, and what came of it. */
  readonly outcomes: Family<Counter>;
  /** By grant, and what came of it: `issued`, or the error and the reason on record. */
  readonly grants: Family<Counter>;
  readonly seconds: Family<Histogram>;
  readonly signing: Histogram;
}

export function registerTokenFigures(metrics: Metrics): TokenFigures {
  return {
    outcomes: metrics.counter(
      "sallyport_token_requests_total",
      "Requests to the token endpoint and those beside it, by what came of them: `issued`, `answered`, or the error.",
      ["endpoint", "outcome"],
    ),
    grants: metrics.counter(
      "sallyport_token_grants_total",
      "Keys that were asked for, by grant and what was made of it: `issued`, or the error; and the reason that is on record.",
      ["grant", "outcome", "reason"],
    ),
    seconds: metrics.histogram(
      "sallyport_token_seconds",
      "From the head of a request to the token endpoint, or to one beside it, to its answer.",
      { buckets: BUCKETS, labels: ["endpoint"] },
    ),
    signing: metrics
      .histogram(
        "sallyport_token_signing_seconds",
        "How long it took to have a key signed, by a worker's supervisor too.",
        { buckets: BUCKETS },
      )
      .with(),
  };
}
