/** Options for sending a request again, and for how many may be at an endpoint at once. */
import { z } from "zod";
import { byteSize, duration } from "../../model/options.ts";

/** What a request may be sent again after; `connect` is the one where nothing was sent. */
const CAUSES = ["connect", "reset", "timeout", 502, 503, 504, "grpc-unavailable"] as const;

export const retriesSchema = z
  .strictObject({
    attempts: z
      .int()
      .min(1)
      .max(10)
      .default(2)
      .describe(
        "How often a request may be sent again, from 1 to 10, 2 when left out. Passing on to an endpoint that was not tried, because a connection could not be opened, does not count.",
      ),
    on: z
      .array(z.literal(CAUSES), `a list of ${CAUSES.join(", ")}`)
      .min(1, "at least one cause")
      .refine((causes) => new Set(causes).size === causes.length, "each cause once")
      .default(["connect", "reset", 503])
      .describe(
        "After what: `connect` no endpoint took a connection, `reset` it broke before a byte of an answer, `timeout` no response head within responseTimeout, or a status of 502, 503 or 504. After these, all but `connect`, only GET, HEAD, OPTIONS, PUT and DELETE are sent again. `grpc-unavailable`: a gRPC call that its service answered UNAVAILABLE, with nothing before it and without a pushback. Calls are POSTs, so this is for services to which twice is once.",
      ),
    budget: z
      .strictObject({
        share: z
          .int()
          .min(0)
          .max(100)
          .default(20)
          .describe(
            "Percent of the service's requests in flight that may be retries, from 0 to 100, 20 when left out. It keeps retries from finishing off a service that is already failing.",
          ),
        floor: z
          .int()
          .min(0)
          .max(1000)
          .default(3)
          .describe("Retries at once that are always allowed, from 0 to 1000, 3 when left out."),
      })
      .readonly()
      .prefault({})
      .describe("How many retries may be under way at once."),
    backoff: duration({ min: "1ms", max: "10s" })
      .prefault("25ms")
      .describe(
        "Before the first retry a random time up to this is waited, before each later one up to twice as much as before, at most 10s. From 1ms to 10s, 25ms when left out.",
      ),
    bodyBytes: byteSize({ min: "0B", max: "1MiB" })
      .prefault("64KiB")
      .describe(
        "Request bodies up to this are kept until the answer begins, so that PUT and DELETE can be sent again with theirs; from 0B to 1MiB, 64KiB when left out. A larger one is sent once.",
      ),
  })
  .readonly();

export type RetryOptions = z.output<typeof retriesSchema>;

export const breakerSchema = z
  .strictObject({
    requests: z
      .int()
      .min(1)
      .max(100_000)
      .describe(
        "Requests at once to each endpoint, from 1 to 100000, and never more than `connections`. An endpoint with so many is passed over.",
      ),
    queue: z
      .int()
      .min(0)
      .max(100_000)
      .default(0)
      .describe(
        "Requests that may wait while every endpoint has as many as it may have, from 0 to 100000, 0 when left out. Those beyond it are answered 503 at once.",
      ),
    queueTimeout: duration({ min: "1ms", max: "5m" })
      .prefault("1s")
      .describe(
        "How long a request waits before it is answered 503, from 1ms to 5m, 1s when left out.",
      ),
  })
  .readonly();

export type BreakerOptions = z.output<typeof breakerSchema>;
