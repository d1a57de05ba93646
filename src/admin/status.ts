/** `GET /v1/status`: the whole at a glance. */
import { z } from "zod";
import type { AdminDeps, KeyDesk, ProcessStatus, RunningConfig } from "./admin-deps.ts";
import { type Operation, operation, timeSchema, timeText } from "./operation.ts";

const configSchema = z.strictObject({
  hash: z.string().describe("Of the configuration in force and its policies."),
  since: timeSchema.describe("When it was put in force."),
  failingTests: z
    .int()
    .optional()
    .describe("Tests that its policies fail, and that it ignores; absent: none."),
  notReloaded: z
    .strictObject({
      at: timeSchema,
      why: z.array(z.string()).describe("The first problems."),
      problems: z.int().describe("How many there are."),
    })
    .optional()
    .describe(
      "The last reload, where it failed: the running configuration is not the written one.",
    ),
});

const countsSchema = z
  .strictObject({
    routes: z.int(),
    services: z.int(),
    authenticators: z.int(),
  })
  .describe("How many the configuration in force has.");

const statusSchema = z
  .strictObject({
    version: z.string(),
    runtime: z.string().describe("Name and version of what it runs on."),
    role: z
      .enum(["single", "authority", "proxy"])
      .describe("`single`: authority and proxy in one, or a proxy without an authority."),
    pid: z.int(),
    started: timeSchema,
    uptimeSeconds: z.int(),
    ready: z.boolean().describe("As `/readyz` says."),
    checks: z
      .record(z.string(), z.string())
      .describe("Each thing that readiness depends on, in words."),
    config: configSchema,
    listeners: z.array(
      z.strictObject({
        name: z.string(),
        scheme: z.enum(["http", "https"]),
        address: z.string(),
      }),
    ),
    workers: z.strictObject({
      serving: z.int().describe("Processes that serve."),
      wanted: z.int().describe("Processes that should."),
    }),
    feed: z
      .strictObject({
        epoch: z.string(),
        number: z.int().describe("The last change that is known here."),
        asOf: timeSchema
          .optional()
          .describe("All changes up to then are known here; absent: not heard since the start."),
        stalenessSeconds: z.number().optional().describe("How long ago that is."),
        maxStalenessSeconds: z.number().describe("Beyond it every request is refused."),
      })
      .optional()
      .describe("Where it stands in what its authority says; absent without one."),
    store: z
      .strictObject({
        reachable: z.boolean(),
        number: z.int().optional().describe("Of the last change."),
      })
      .optional()
      .describe("Absent where this process has none."),
    keys: z
      .array(z.strictObject({ use: z.string(), kid: z.string(), retires: timeSchema }))
      .optional()
      .describe("The keys that sign now; absent where this process has none."),
    followers: z.int().optional().describe("Proxies and relays that follow this process now."),
    follows: z
      .strictObject({
        connected: z.boolean(),
        authority: z.string().describe("The one that is followed, or was tried last."),
        bundle: z.string().describe("State of the configuration that comes over the feed."),
        lastError: z
          .string()
          .optional()
          .describe("Why the last stream ended, until there is another."),
        name: z.string().describe("What this machine is enrolled as."),
        identityUntil: timeSchema.describe("Its identity ends then; it is renewed before."),
      })
      .optional()
      .describe("Of a proxy whose authority is elsewhere."),
    serves: z.string().optional().describe("Where machines enrol and follow this process."),
    counts: countsSchema,
  })
  .meta({ id: "Status", description: "The whole at a glance." });

export const statusOperations: readonly Operation[] = [
  operation(
    {
      operation: "getStatus",
      method: "get",
      path: "/v1/status",
      tag: "process",
      summary: "The whole at a glance",
      answers: { status: 200, description: "The status.", schema: statusSchema },
    },
    async (_call, deps) => ({ body: await statusOf(deps) }),
  ),
];

async function statusOf(deps: AdminDeps): Promise<z.input<typeof statusSchema>> {
  const { clock, keys } = deps;
  const now = clock.now();
  const [status, config, store] = await Promise.all([
    deps.process.status(),
    deps.config.running(),
    storeOf(deps),
  ]);
  const { startedMs, feed, followers, follows, serves, ...same } = status;
  return {
    version: same.version,
    runtime: same.runtime,
    role: same.role,
    pid: same.pid,
    started: timeText(startedMs),
    uptimeSeconds: Math.max(0, Math.floor((now - startedMs) / 1000)),
    ready: same.ready,
    checks: { ...same.checks },
    config: configOf(config),
    listeners: same.listeners.map(({ name, scheme, address }) => ({ name, scheme, address })),
    workers: { ...same.workers },
    ...(feed === undefined ? {} : { feed: feedOf(feed, now) }),
    ...(store === undefined ? {} : { store }),
    ...(keys === undefined ? {} : { keys: signing(keys) }),
    ...(followers === undefined ? {} : { followers }),
    ...(follows === undefined ? {} : { follows: followsOf(follows) }),
    ...(serves === undefined ? {} : { serves }),
    counts: {
      routes: config.routes.length,
      services: config.services.length,
      authenticators: config.authenticators.length,
    },
  };
}

export function configOf({
  hash,
  sinceMs,
  failingTests,
  notReloaded,
}: RunningConfig): z.input<typeof configSchema> {
  const running = {
    hash,
    since: timeText(sinceMs),
    ...(failingTests === undefined ? {} : { failingTests }),
  };
  if (notReloaded === undefined) return running;
  const { atMs, why, problems } = notReloaded;
  return { ...running, notReloaded: { at: timeText(atMs), why: [...why], problems } };
}

function feedOf(
  feed: NonNullable<ProcessStatus["feed"]>,
  nowMs: number,
): z.input<typeof statusSchema>["feed"] {
  const { epoch, number, asOfMs, maxStalenessMs } = feed;
  const heard =
    asOfMs === undefined
      ? {}
      : { asOf: timeText(asOfMs), stalenessSeconds: Math.max(0, nowMs - asOfMs) / 1000 };
  return { epoch, number, ...heard, maxStalenessSeconds: maxStalenessMs / 1000 };
}

function followsOf({
  lastError,
  notAfterMs,
  ...same
}: NonNullable<ProcessStatus["follows"]>): z.input<typeof statusSchema>["follows"] {
  const identityUntil = timeText(notAfterMs);
  return { ...same, ...(lastError === undefined ? {} : { lastError }), identityUntil };
}

/** A store that is away is what the status is asked for, so it is shown and not an error. */
async function storeOf({ store }: AdminDeps): Promise<z.input<typeof statusSchema>["store"]> {
  if (store === undefined) return undefined;
  try {
    const { number } = await store.now();
    return { reachable: true, number };
  } catch {
    return { reachable: false };
  }
}

function signing(keys: KeyDesk): z.input<typeof statusSchema>["keys"] {
  return keys
    .list()
    .filter(({ state }) => state === "active")
    .map(({ use, kid, retiredMs }) => ({ use, kid, retires: timeText(retiredMs) }));
}
