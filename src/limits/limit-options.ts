/**
 * Options of rate limits and concurrency limits, as routes and the section `limits` have them.
 *
 * No limit is counted by a header: a caller would only have to send another value.
 */
import { z } from "zod";
import { duration, nameSchema } from "../model/options.ts";

const LIMITS = {
  /** Limits of one kind on a route: each costs a look-up on every request of it. */
  perRoute: 8,
  /** Requests of a rate: with a million of them in flight times stay exact for months of uptime. */
  requests: 1_000_000,
} as const;

const BY_WORDS = ["principal", "issuer", "route", "address"] as const;

const ATTRIBUTE = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

const bySchema = z
  .union(
    [
      z.enum(BY_WORDS),
      z.strictObject({
        attribute: z
          .string()
          .regex(ATTRIBUTE, "the name of an attribute that the route's authenticators declare")
          .describe("A declared attribute of the principal, such as its tenant."),
      }),
    ],
    "one of principal, issuer, route, address, or { attribute: NAME }",
  )
  .default("principal")
  .describe(
    "Whose requests are counted together; `principal` when left out. `principal`: each caller by itself; `issuer`: all callers that one authenticator vouches for; `{ attribute: NAME }`: all that have the same value of it from the same authenticator; `address`: all from one client address (of IPv6 its /64); `route`: everybody. Callers without an identity (`anonymous`) are told apart by address where others are by identity.",
  );

const name = (meaning: string) => nameSchema.optional().describe(meaning);

const rateShape = {
  requests: z
    .int()
    .min(1)
    .max(LIMITS.requests)
    .describe("Requests that are let through in each `per`, from 1 to 1000000. Others get 429."),
  per: duration({ min: "1s", max: "24h" })
    .refine((ms) => ms % 1000 === 0, "whole seconds, such as 1s, 1m or 1h")
    .describe("The interval, in whole seconds, from 1s to 24h."),
  burst: z
    .int()
    .min(1)
    .max(LIMITS.requests)
    .optional()
    .describe(
      "How many may come at once after a pause, from 1 to 1000000; as many as `requests` when left out. What was used comes back evenly, not at the end of an interval.",
    ),
  by: bySchema,
  across: z
    .enum(["machine", "cluster"])
    .default("machine")
    .describe(
      "Who counts together. `machine`: all workers of this machine. `cluster`: all machines that name the same `shared.redis`, for one question to it on each request.",
    ),
  whenAway: z
    .enum(["local", "refuse"])
    .optional()
    .describe(
      "With `across: cluster`: what is done while Redis does not answer within `shared.timeout`. `local`, when left out: each machine lets the whole rate through by itself. `refuse`: 503 `memory-unavailable`.",
    ),
};

const RATE_REMEDY =
  "a rate such as { requests: 100, per: 1s }, the name of one under limits.rates, or a list of them";

/** A rate that several routes count together, by name. */
export const sharedRateSchema = z.strictObject(rateShape).readonly();

const rateSchema = z
  .strictObject({
    ...rateShape,
    name: name(
      "What the answer's `ratelimit` field, metrics and records call it; what it counts by when left out.",
    ),
  })
  .readonly();

const concurrencySchema = z
  .strictObject({
    requests: z
      .int()
      .min(1)
      .max(LIMITS.requests)
      .describe(
        "Requests that may be in flight at once, from 1 to 1000000: from their decision to the last byte of their answer. Others get 429 `too-many-concurrent`.",
      ),
    by: bySchema,
    name: name(
      "What the answer's `ratelimit` field, metrics and records call it; `concurrent-` and what it counts by when left out.",
    ),
  })
  .readonly();

/** `routes[].limit`: a rate, the name of a shared one, or a list of them. */
export const routeRatesSchema = z
  .union(
    [nameSchema, rateSchema, list(z.union([nameSchema, rateSchema], RATE_REMEDY))],
    RATE_REMEDY,
  )
  .transform((written): readonly (string | RouteRate)[] =>
    Array.isArray(written) ? written : [written],
  )
  .superRefine((rates, context) => refuseRepeated(rates.map(rateName), context));

/** `routes[].concurrency`: one limit or a list of them. */
export const routeConcurrencySchema = z
  .union([concurrencySchema, list(concurrencySchema)])
  .transform((written): readonly RouteConcurrency[] =>
    Array.isArray(written) ? written : [written],
  )
  .superRefine((all, context) => refuseRepeated(all.map(concurrencyName), context));

export type SharedRate = z.output<typeof sharedRateSchema>;
export type RouteRate = z.output<typeof rateSchema>;
export type RouteConcurrency = z.output<typeof concurrencySchema>;
export type LimitBy = SharedRate["by"];

/** The name of a rate among those of its route. */
export function rateName(rate: RouteRate | string): string {
  return typeof rate === "string" ? rate : (rate.name ?? byName(rate.by));
}

export function concurrencyName(limit: RouteConcurrency): string {
  return limit.name ?? `concurrent-${byName(limit.by)}`;
}

function byName(by: LimitBy): string {
  return typeof by === "string" ? by : by.attribute;
}

function list<T extends z.ZodType>(one: T) {
  return z.array(one).min(1, "at least one").max(LIMITS.perRoute);
}

function refuseRepeated(names: readonly string[], context: z.core.$RefinementCtx): void {
  for (const [index, one] of names.entries()) {
    if (names.indexOf(one) === index) continue;
    context.addIssue({
      code: "custom",
      path: [index],
      message: `a name of its own: another limit of the route is called "${one}"`,
    });
  }
}
