/**
 * Options of counting what callers use, and of the plans that say how much they may. A quota counts what
 * policies permitted, in fixed periods of the calendar (UTC).
 */
import { z } from "zod";
import { attributeNameSchema, duration, nameSchema } from "../../model/options.ts";
import { PERIODS } from "./periods.ts";

const LIMITS = {
  /** Requests, bytes or cost units of a quota: beyond it sums of thousandths are no longer exact. */
  quota: 1_000_000_000_000,
  /** Cost units of one request. */
  cost: 1_000_000,
} as const;

const most = (what: string) =>
  z
    .int(`a whole number from 1 to ${LIMITS.quota}`)
    .min(1)
    .max(LIMITS.quota)
    .optional()
    .describe(what);

const quotaSchema = z
  .strictObject({
    requests: most("Requests that are let through in each period."),
    bytes: most(
      "Body bytes of requests and answers together. They are known when a request ends, so the one that crosses the line still ends well, and so do those in flight beside it.",
    ),
    cost: most("Cost units (`cost` of routes) that are let through in each period."),
    per: z
      .enum(PERIODS)
      .describe("The period: it begins with the hour, the day or the month of the calendar, UTC."),
  })
  .refine(
    ({ requests, bytes, cost }) => (requests ?? bytes ?? cost) !== undefined,
    "at least one of requests, bytes and cost",
  )
  .readonly();

const percentSchema = z
  .string("a share from 1% to 99%")
  .regex(/^[1-9]\d?%$/, "a share from 1% to 99%")
  .transform((text) => Number(text.slice(0, -1)) / 100);

const planSchema = z
  .strictObject({
    quota: quotaSchema
      .optional()
      .describe(
        "How much each principal on this plan may use. Beyond it the answer is 429 `quota-exceeded` until the period ends. Without it: as much as it likes, and it is counted.",
      ),
    warnAt: percentSchema
      .prefault("80%")
      .describe(
        "Share of the quota, from 1% to 99%, at which an event `quota-warning` is recorded: once for each principal and period.",
      ),
  })
  .readonly();

const planOfSchema = z
  .strictObject({
    attribute: attributeNameSchema
      .optional()
      .describe(
        "The declared attribute of principals (a text) that names their plan. Who has none, or one that is not under `plans`, is on the default.",
      ),
    default: nameSchema
      .optional()
      .describe(
        "The plan of all others. Without it they have none: they are counted, without a quota.",
      ),
    anonymous: nameSchema
      .optional()
      .describe(
        "The plan of callers without an identity, who are one principal, `anonymous`: any of them can use up what all of them have. Without it they have none.",
      ),
  })
  .readonly();

export const usageSchema = z
  .strictObject({
    count: z
      .enum(["permitted", "all"])
      .default("permitted")
      .describe(
        "`permitted`: requests that were permitted on a route. `all`: those that were denied as well, in a column of their own; they cost nothing and count against no quota.",
      ),
    plans: z.record(nameSchema, planSchema).prefault({}).describe("Plans by name."),
    plan: planOfSchema.prefault({}).describe("Which principal is on which plan."),
    across: z
      .enum(["machine", "cluster"])
      .default("machine")
      .describe(
        "Who counts together for quotas. `machine`: all workers of this machine. `cluster`: all machines that name the same `shared.redis`, which tell it four times a second what they let through; while it does not answer each goes on with what it knows.",
      ),
    keep: duration({ min: "1d", max: "3650d" })
      .prefault("400d")
      .describe("How long hours are kept, from 1d to 3650d."),
    path: z
      .string("a folder")
      .min(1, "a folder, such as data/usage")
      .optional()
      .describe(
        "Folder of `usage.db`, made with mode 0700 where it is absent. Without it: `usage` in the folder of the audit log. It is made of the log and can be made again (`sallyport usage rebuild`).",
      ),
  })
  .readonly()
  .describe(
    "Counts requests, bytes and cost units by principal, plan, service, route, operation and hour, and holds principals to the quotas of their plans. Without this section nothing is counted. A change takes a restart.",
  );

/** `routes[].cost`. */
export const costSchema = z
  .number(`a number from 0 to ${LIMITS.cost}`)
  .min(0)
  .max(LIMITS.cost)
  .refine((cost) => Number.isInteger(Number((cost * 1000).toFixed(6))), "at most three decimals")
  .optional()
  .describe(
    "Cost units of a request, from 0 to 1000000 with at most three decimals; 1 when left out. They are counted with `usage`, and quotas may be of them.",
  );

export type UsageOptions = z.output<typeof usageSchema>;
export type PlanOptions = z.output<typeof planSchema>;
export type QuotaOptions = z.output<typeof quotaSchema>;
