/** Options for finding out which endpoints are in order: by asking them, and by what they answer. */
import { z } from "zod";
import { duration } from "../../model/options.ts";

const PATH = /^\/[!-"$-~]{0,1023}$/;
/** A name of protobuf, with its package. */
const SERVICE = /^(?:[A-Za-z_][A-Za-z0-9_.]{0,511})?$/;
const HOST = /^[A-Za-z0-9.\-:[\]_]{1,255}$/;

export const healthSchema = z
  .strictObject({
    path: z
      .string()
      .regex(PATH, "a path such as /healthz")
      .optional()
      .describe("What is asked for, by GET on a connection of its own. Either this or `grpc`."),
    grpc: z
      .string()
      .regex(SERVICE, "the name of a gRPC service such as shop.Orders, or an empty text")
      .optional()
      .describe(
        "The gRPC service that `grpc.health.v1.Health/Check` is asked about on a connection of its own; an empty text asks about the server as a whole. SERVING passes and nothing else. The endpoints have to speak HTTP/2 (`h2:`, `h2c:`).",
      ),
    host: z
      .string()
      .regex(HOST, "a host such as billing.internal")
      .optional()
      .describe(
        "The Host that is asked for, `:authority` with HTTP/2; the endpoint's own host:port when left out.",
      ),
    interval: duration({ min: "100ms", max: "1h" })
      .prefault("5s")
      .describe(
        "Time between two checks of an endpoint, give or take a tenth, from 100ms to 1h, 5s when left out.",
      ),
    timeout: duration({ min: "10ms", max: "1m" })
      .prefault("2s")
      .describe("Time for connection and answer together, from 10ms to 1m, 2s when left out."),
    healthy: z
      .int()
      .min(1)
      .max(100)
      .default(2)
      .describe(
        "Passed checks in a row that make an unhealthy endpoint healthy, from 1 to 100, 2 when left out. The first check of an endpoint counts by itself.",
      ),
    unhealthy: z
      .int()
      .min(1)
      .max(100)
      .default(3)
      .describe(
        "Failed checks in a row that make a healthy endpoint unhealthy, from 1 to 100, 3 when left out.",
      ),
    expect: z
      .array(z.int().min(200).max(599))
      .min(1, "at least one status")
      .max(32)
      .optional()
      .describe("With `path`: statuses that pass, from 200 to 599; every 2xx when left out."),
  })
  .superRefine(({ path, grpc, expect }, context) => {
    if ((path === undefined) === (grpc === undefined)) {
      context.addIssue({ code: "custom", path: ["path"], message: "either path or grpc" });
    } else if (grpc !== undefined && expect !== undefined) {
      context.addIssue({ code: "custom", path: ["expect"], message: "no expect with grpc" });
    }
  })
  .readonly();

export type HealthOptions = z.output<typeof healthSchema>;

export const outliersSchema = z
  .strictObject({
    consecutive: z
      .int()
      .min(1)
      .max(1000)
      .default(5)
      .describe(
        "Failures in a row (no connection, reset, no answer in time, garbage, a listed status) after which an endpoint is put out, from 1 to 1000, 5 when left out.",
      ),
    statuses: z
      .array(z.int().min(500).max(599))
      .max(100)
      .default([500, 502, 503, 504])
      .describe("Statuses that count as failures; 500, 502, 503 and 504 when left out."),
    ejection: duration({ min: "100ms", max: "1h" })
      .prefault("30s")
      .describe(
        "How long an endpoint is out the first time, from 100ms to 1h, 30s when left out. Each further time is longer by as much; each such time in order takes one back.",
      ),
    maxEjection: duration({ min: "100ms", max: "24h" })
      .prefault("5m")
      .describe("The longest that it is out, from 100ms to 24h, 5m when left out."),
    maxEjected: z
      .int()
      .min(1)
      .max(100)
      .default(50)
      .describe(
        "Percent of the endpoints that may be out at once, from 1 to 100, 50 when left out. Of two endpoints one may go, of one none.",
      ),
  })
  .readonly();

export type OutlierOptions = z.output<typeof outliersSchema>;
