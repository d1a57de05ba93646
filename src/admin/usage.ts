/**
 * `/v1/usage`: what callers have used, so that an API can be billed, and where they stand with their
 * quotas. It says what the book says, which lags the log by seconds.
 */
import { z } from "zod";
import { type Dimension, DIMENSIONS, type UsageRow } from "../limits/usage/usage-report.ts";
import type { QuotaStanding } from "../limits/usage/quota-standings.ts";
import { readHour, TIME_REMEDY, usualHours } from "../limits/usage/usage-times.ts";
import type { AdminDeps } from "./admin-deps.ts";
import { type Operation, operation, timeSchema, timeText } from "./operation.ts";
import { cursorOf, nextSchema, pageOf, pageQuery } from "./paging.ts";
import { present } from "./present.ts";
import { AdminProblem } from "./problem.ts";

const LIMITS = {
  /** Characters of a name to look for. */
  name: 512,
} as const;

const hourSchema = z.iso.datetime({ offset: true });
const nameSchema = z.string().min(1).max(LIMITS.name).optional();

const PRINCIPAL =
  "Only of this one: `<authenticator>/<subject>`. Who is redacted in the log is found by it while her key is there, and answered under the pseudonym.";

const BY = new RegExp(`^(?:${DIMENSIONS.join("|")})(?:,(?:${DIMENSIONS.join("|")})){0,7}$`);

const usageSchema = z
  .strictObject({
    month: z.string().optional(),
    day: z.string().optional(),
    hour: z.string().optional(),
    principal: z.string().optional(),
    plan: z.string().optional().describe("Empty: none."),
    service: z.string().optional(),
    route: z.string().optional(),
    operation: z.string().optional().describe("An operation of the service, or the method."),
    requests: z.int().describe("Permitted ones."),
    denied: z.int().describe("0 unless `usage.count` is `all`."),
    bytesIn: z.int().describe("Of the bodies of requests that ended."),
    bytesOut: z.int().describe("Of the bodies of their answers."),
    cost: z.number().describe("Cost units."),
  })
  .meta({ id: "Usage", description: "A sum, with the names of `by` that it is for." });

const amounts = (of: string) =>
  z
    .strictObject({
      requests: z.number().optional(),
      bytes: z.number().optional(),
      cost: z.number().optional(),
    })
    .describe(of);

const quotaSchema = z
  .strictObject({
    principal: z.string(),
    plan: z.string().describe("The one that its last request was on."),
    per: z.enum(["hour", "day", "month"]),
    from: timeSchema,
    until: timeSchema,
    quota: amounts("What it may use in the period."),
    used: amounts("What it has used of it."),
    share: z.number().describe("The largest part of it that is used; 1 is all."),
  })
  .meta({ id: "QuotaStanding", description: "Where a principal stands with its quota." });

const tag = "usage";

export const usageOperations: readonly Operation[] = [
  operation(
    {
      operation: "getUsage",
      method: "get",
      path: "/v1/usage",
      tag,
      summary: "What callers have used",
      description:
        "Sums of whole hours. Without `from` and `to`: of this month. An hour that has passed for some seconds does not change any more.",
      query: z.strictObject({
        ...pageQuery,
        from: hourSchema.optional().describe("Hours that begin then or later; a whole hour."),
        to: hourSchema.optional().describe("Hours that begin before then; a whole hour."),
        by: z
          .string()
          .regex(BY, `some of ${DIMENSIONS.join(", ")}, with commas between`)
          .optional()
          .describe(
            `What sums are by: some of ${DIMENSIONS.join(", ")}, with commas between; principal when left out.`,
          ),
        principal: nameSchema.describe(PRINCIPAL),
        plan: nameSchema,
        service: nameSchema,
        route: nameSchema,
        operation: nameSchema,
      }),
      answers: {
        status: 200,
        description: "One page of sums, in the order of their names.",
        schema: z.strictObject({
          from: timeSchema,
          to: timeSchema,
          usage: z.array(usageSchema),
          next: nextSchema,
        }),
      },
      problems: [404],
    },
    async ({ query }, deps) => {
      const { fromMs, toMs } = hoursOf(query, deps.clock.now());
      const by = [...new Set((query.by ?? "principal").split(","))] as Dimension[];
      const { limit, after } = pageOf(query);
      const { principal, plan, service, route, operation: name } = query;
      const only = defined({ principal, plan, service, route, operation: name });
      const desk = deskOf(deps);
      const place = after === undefined ? undefined : placeOf(after, by.length);
      const rows = await desk.report({ fromMs, toMs, by, only, limit: limit + 1, after: place });
      const shown = rows.slice(0, limit);
      const last = rows.length > limit ? shown.at(-1) : undefined;
      const usage = shown.map((row) => usageOf(row, by));
      const next = last && { next: cursorOf(JSON.stringify(last.group)) };
      return { body: { from: timeText(fromMs), to: timeText(toMs), usage, ...next } };
    },
  ),
  operation(
    {
      operation: "listQuotas",
      method: "get",
      path: "/v1/usage/quotas",
      tag,
      summary: "Where principals stand with their quotas",
      description: "Those whose plan has a quota, and who asked for anything in this month.",
      query: z.strictObject({
        ...pageQuery,
        principal: nameSchema.describe(PRINCIPAL),
      }),
      answers: {
        status: 200,
        description: "One page of them, by name.",
        schema: z.strictObject({ quotas: z.array(quotaSchema), next: nextSchema }),
      },
      problems: [404],
    },
    async ({ query }, deps) => {
      const { limit, after } = pageOf(query);
      const { principal } = query;
      const nowMs = deps.clock.now();
      const rows = await deskOf(deps).quotas({ principal, limit: limit + 1, after, nowMs });
      const shown = rows.slice(0, limit);
      const last = rows.length > limit ? shown.at(-1) : undefined;
      const next = last && { next: cursorOf(last.principal) };
      return { body: { quotas: shown.map(standingOf), ...next } };
    },
  ),
];

function deskOf({ usage }: AdminDeps) {
  return present(usage, "book of usage", "write the section usage, and restart it");
}

function hoursOf(
  query: { readonly from?: string | undefined; readonly to?: string | undefined },
  nowMs: number,
): { readonly fromMs: number; readonly toMs: number } {
  const usual = usualHours(nowMs);
  const hour = (name: "from" | "to", other: number): number => {
    const text = query[name];
    const timeMs = text === undefined ? other : readHour(text);
    if (timeMs === undefined) refuse(name, "it is no whole hour", TIME_REMEDY);
    return timeMs;
  };
  const fromMs = hour("from", usual.fromMs);
  const toMs = hour("to", usual.toMs);
  if (fromMs >= toMs) refuse("to", "it is not after from", "a later one");
  return { fromMs, toMs };
}

/** The `next` of a report by other names has another number of them. */
function placeOf(text: string, names: number): readonly string[] {
  try {
    const place: unknown = JSON.parse(text);
    if (
      Array.isArray(place) &&
      place.length === names &&
      place.every((one) => typeof one === "string")
    ) {
      return place;
    }
  } catch {
    // Refused below.
  }
  return refuse("cursor", "it is no cursor of this report", "the next of the page before");
}

function refuse(name: string, message: string, remedy: string): never {
  throw new AdminProblem("invalid-input", undefined, [{ at: `query ${name}`, message, remedy }]);
}

function defined(only: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(only).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function usageOf({ group, ...sums }: UsageRow, by: readonly Dimension[]): object {
  return { ...Object.fromEntries(by.map((name, index) => [name, group[index]])), ...sums };
}

function standingOf(standing: QuotaStanding): object {
  const { principal, plan, quota, fromMs, untilMs, requests, bytes, cost, share } = standing;
  const { per, ...most } = quota;
  return {
    principal,
    plan,
    per,
    from: timeText(fromMs),
    until: timeText(untilMs),
    quota: most,
    used: { requests, bytes, cost },
    share,
  };
}
