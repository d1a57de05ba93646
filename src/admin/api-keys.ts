/**
 * `/v1/api-keys`: keys for callers that can do nothing better. The text of a key is in the answer of
 * `create` and `rotate` and nowhere else, and is shown once.
 */
import { z } from "zod";
import { apiKeyMapper } from "../identity/api-key.ts";
import type { ApiKeyOptions } from "../identity/api-key-options.ts";
import { type ApiKeyGrant, apiKeyGrantSchema, isReadable } from "../keys/api-key-document.ts";
import type { ApiKey, ApiKeyRefusal, MadeApiKey } from "../keys/api-key-register.ts";
import { API_KEY_ID, API_KEY_LIMITS } from "../model/api-keys.ts";
import { suggest } from "../model/suggest.ts";
import type { AdminDeps } from "./admin-deps.ts";
import { type Answer, type Operation, operation, timeSchema, timeText } from "./operation.ts";
import { cursorOf, nextSchema, pageOf, pageQuery } from "./paging.ts";
import { found, present } from "./present.ts";
import { AdminProblem, type Fault } from "./problem.ts";
import { reasonSchema } from "./text.ts";
import { unknownRoles } from "./unknown-roles.ts";

const LIMITS = {
  /** Of a key of which nobody has said how long it lasts, where its authenticator allows so much. */
  lifetimeMs: 90 * 86_400_000,
  /** A key that nobody would live to see expire at once is a mistake. */
  leastMs: 60_000,
  /** Of a rotation of which nobody has said how long the former key is good for. */
  usualSeconds: 86_400,
  /** Of a rotation: whoever has not changed over by then has forgotten it. */
  overlapSeconds: 90 * 86_400,
} as const;

const STATES = ["active", "replaced", "expired", "revoked"] as const;

const shownSchema = apiKeyGrantSchema
  .extend({
    scopes: z.array(z.string()),
    roles: z.array(z.string()),
    groups: z.array(z.string()),
    attributes: z.record(
      z.string(),
      z.union([z.string(), z.boolean(), z.number(), z.array(z.string())]),
    ),
    id: z.string().describe("What names it in calls, records and revocations; no part of the key."),
    state: z
      .enum(STATES)
      .describe("`replaced`: another has taken its place, and it is good until it expires."),
    created: timeSchema,
    createdBy: z.string(),
    expires: timeSchema,
    used: timeSchema
      .optional()
      .describe("When it last let somebody in, to within some minutes; absent: not that we know."),
    replaces: z.string().optional().describe("Id of the key whose place it took."),
    replacedBy: z.string().optional().describe("Id of the key that took its place."),
    revoked: z
      .strictObject({ at: timeSchema, by: z.string(), reason: z.string().optional() })
      .optional(),
  })
  .meta({ id: "ApiKey", description: "A key for callers that can do nothing better." });

const madeSchema = z
  .strictObject({
    apiKey: shownSchema,
    key: z.string().describe("The key itself, shown once. Whoever has it is its owner."),
    former: shownSchema.optional().describe("The key that it takes the place of."),
    warnings: z.array(z.string()).describe("What is taken and hardly meant."),
  })
  .meta({ id: "MadeApiKey", description: "A new API key, with its text." });

const params = z.strictObject({
  id: z
    .string()
    .regex(API_KEY_ID, "the id of an API key: 32 characters of hex")
    .describe("Id of the key."),
});
const tag = "api-keys";
const oneKey = { status: 200, description: "The key.", schema: shownSchema, tagged: true } as const;
const made = {
  status: 201,
  description: "The key, with its text, which is shown this once.",
  schema: madeSchema,
  tagged: true,
} as const;

export const apiKeyOperations: readonly Operation[] = [
  operation(
    {
      operation: "listApiKeys",
      method: "get",
      path: "/v1/api-keys",
      tag,
      summary: "API keys, those that expired in the last 30 days included",
      query: z.strictObject({
        ...pageQuery,
        authenticator: z.string().optional().describe("Only those for this authenticator."),
        owner: z
          .string()
          .optional()
          .describe("Only those of this owner; pages may then be short, or empty with a `next`."),
        unusedSince: z.iso
          .datetime({ offset: true })
          .optional()
          .describe(
            "Only those that are good, are older and let nobody in since then; pages may then be short, or empty with a `next`.",
          ),
      }),
      answers: {
        status: 200,
        description: "One page of them, by id.",
        schema: z.strictObject({ apiKeys: z.array(shownSchema), next: nextSchema }),
      },
      problems: [404],
    },
    async ({ query: { authenticator, owner, unusedSince, ...query } }, deps) => {
      const page = pageOf(query);
      const nowMs = deps.clock.now();
      const sinceMs = unusedSince === undefined ? undefined : Date.parse(unusedSince);
      const keys = await registerOf(deps).list(page);
      const last = keys.length < page.limit ? undefined : keys.at(-1);
      const wanted = keys.filter(
        (key) =>
          (authenticator === undefined || key.authenticator === authenticator) &&
          (owner === undefined || key.owner === owner) &&
          (sinceMs === undefined || isUnused(key, { sinceMs, nowMs })),
      );
      return {
        body: {
          apiKeys: wanted.map((key) => shown(key, nowMs)),
          ...(last === undefined ? {} : { next: cursorOf(last.id) }),
        },
      };
    },
  ),
  operation(
    {
      operation: "createApiKey",
      method: "post",
      path: "/v1/api-keys",
      tag,
      summary: "Makes an API key: in force on every proxy that reaches the feed within a second",
      body: apiKeyGrantSchema.extend({
        expires: z.iso
          .datetime({ offset: true })
          .optional()
          .describe(
            "When it ends. Left out: in 90 days, or after the authenticator's `maxLifetime` where that is less.",
          ),
      }),
      idempotent: true,
      secret: true,
      answers: made,
      problems: [404, 409, 422],
    },
    async ({ body: { expires, ...grant }, by }, deps) => {
      const register = registerOf(deps);
      const options = await optionsOf(grant.authenticator, deps);
      await refuseUnfit(grant, options, deps);
      const { authenticator, roles } = grant;
      const { allow } = options.principal.roles;
      const warnings = unknownRoles({ authenticator, allow, roles }, await deps.config.running());
      const nowMs = deps.clock.now();
      const expiresMs = expiryOf(expires, { nowMs, options });
      const { prefix } = options;
      const key = await register.create(grant, { prefix, expiresMs, by });
      return madeAnswer({ ...key, warnings }, nowMs);
    },
  ),
  operation(
    {
      operation: "getApiKey",
      method: "get",
      path: "/v1/api-keys/{id}",
      tag,
      summary: "One API key, without its text",
      params,
      answers: oneKey,
      problems: [404],
    },
    async ({ params: { id } }, deps) =>
      answer(found(await registerOf(deps).get(id)), deps.clock.now()),
  ),
  operation(
    {
      operation: "rotateApiKey",
      method: "post",
      path: "/v1/api-keys/{id}/rotate",
      tag,
      summary: "Makes a key that may the same; the one before ends after an overlap",
      description:
        "Give the new key to its holder within the overlap: until then both are good. The new one lasts as long as the one before was made for, or until `expires`.",
      params,
      body: z
        .strictObject({
          overlapSeconds: z
            .int()
            .min(0)
            .max(LIMITS.overlapSeconds)
            .optional()
            .describe("How long the key before is good for, at most; a day when left out."),
          expires: z.iso.datetime({ offset: true }).optional().describe("When the new key ends."),
        })
        .default({}),
      bodyOptional: true,
      conditional: true,
      idempotent: true,
      secret: true,
      answers: made,
      problems: [404, 409, 422],
    },
    async (
      { params: { id }, body: { overlapSeconds = LIMITS.usualSeconds, expires }, by, ifMatch },
      deps,
    ) => {
      const register = registerOf(deps);
      const before = found(await register.get(id));
      const options = await optionsOf(before.authenticator, deps);
      await refuseUnfit(before, options, deps);
      const nowMs = deps.clock.now();
      const usual = Math.min(before.expiresMs - before.createdMs, options.maxLifetime);
      const lifetimeMs =
        expires === undefined ? usual : expiryOf(expires, { nowMs, options }) - nowMs;
      const { prefix } = options;
      const overlapMs = overlapSeconds * 1000;
      const change = { prefix, overlapMs, lifetimeMs, by, expect: ifMatch };
      const result = await register.rotate(id, change);
      if ("refused" in result) throw refusal(result);
      return madeAnswer(result, nowMs);
    },
  ),
  operation(
    {
      operation: "revokeApiKey",
      method: "post",
      path: "/v1/api-keys/{id}/revoke",
      tag,
      summary: "Ends a key for good, on every proxy that reaches the feed within a second",
      description: "Open streams that it let in are closed. A key that took its place goes on.",
      params,
      body: z.strictObject({ reason: reasonSchema.optional() }).default({}),
      bodyOptional: true,
      conditional: true,
      idempotent: true,
      answers: oneKey,
      problems: [404],
    },
    async ({ params: { id }, body: { reason }, by, ifMatch }, deps) => {
      const result = await registerOf(deps).revoke(id, { by, reason, expect: ifMatch });
      if ("refused" in result) throw refusal(result);
      return answer(result, deps.clock.now());
    },
  ),
  operation(
    {
      operation: "removeApiKey",
      method: "delete",
      path: "/v1/api-keys/{id}",
      tag,
      summary: "Forgets a key; whoever still has it is told that it is not known",
      params,
      conditional: true,
      answers: { status: 204, description: "It is gone." },
      problems: [404],
    },
    async ({ params: { id }, by, ifMatch }, deps) => {
      const refused = await registerOf(deps).remove(id, { by, expect: ifMatch });
      if (refused !== undefined) throw refusal(refused);
      return {};
    },
  ),
];

function registerOf({ apiKeys }: AdminDeps): NonNullable<AdminDeps["apiKeys"]> {
  return present(apiKeys, "API keys");
}

/** Of the authenticator in the configuration in force. Rejects with AdminProblem `unknown-name`. */
async function optionsOf(name: string, { config }: AdminDeps): Promise<ApiKeyOptions> {
  const { authenticators } = await config.running();
  const options = authenticators.find((one) => one.name === name)?.apiKeys;
  if (options !== undefined) return options;
  const names = authenticators.flatMap((one) => (one.apiKeys === undefined ? [] : [one.name]));
  const near = suggest(name, names);
  throw unknown({
    at: "/authenticator",
    message: `no authenticator of type api-key is called ${name}${near === undefined ? "" : `; did you mean ${near}?`}`,
    remedy: names.length === 0 ? "configure one" : `there is ${names.join(", ")}`,
  });
}

/** A key that would be refused everywhere, or that names nobody's service, is not made. */
async function refuseUnfit(
  grant: ApiKeyGrant,
  options: ApiKeyOptions,
  { config }: AdminDeps,
): Promise<void> {
  const { owner: subject, roles, groups, attributes } = grant;
  const unfit = apiKeyMapper(options)({
    subject,
    roles,
    groups,
    attributes,
  });
  if (unfit !== undefined) throw invalid("/attributes", unfit);
  if (!isReadable(grant)) {
    throw invalid("", `what it may takes more than ${API_KEY_LIMITS.profile} characters`);
  }
  if (grant.services === undefined) return;
  const { services } = await config.running();
  const names = services.map(({ name }) => name);
  const strange = grant.services.find((name) => !names.includes(name));
  if (strange === undefined) return;
  const near = suggest(strange, names);
  throw unknown({
    at: "/services",
    message: `no service is called ${strange}${near === undefined ? "" : `; did you mean ${near}?`}`,
  });
}

function expiryOf(
  text: string | undefined,
  { nowMs, options }: { readonly nowMs: number; readonly options: ApiKeyOptions },
): number {
  const { maxLifetime } = options;
  if (text === undefined) return nowMs + Math.min(LIMITS.lifetimeMs, maxLifetime);
  const ms = Date.parse(text);
  if (ms < nowMs + LIMITS.leastMs)
    throw invalid("/expires", "it ends within a minute, or has ended");
  if (ms <= nowMs + maxLifetime) return ms;
  const latest = new Date(nowMs + maxLifetime).toISOString();
  throw invalid("/expires", `the authenticator's maxLifetime allows ${latest} at the latest`);
}

function invalid(at: string, message: string): AdminProblem {
  return new AdminProblem("invalid-input", undefined, [{ at, message }]);
}

function unknown(fault: Fault): AdminProblem {
  return new AdminProblem("unknown-name", undefined, [fault]);
}

function refusal({ refused }: ApiKeyRefusal): AdminProblem {
  if (refused === "absent") return new AdminProblem("not-found");
  if (refused === "changed") return new AdminProblem("changed");
  return new AdminProblem("conflict", CONFLICTS[refused]);
}

const CONFLICTS = {
  revoked: "it was revoked; make another with createApiKey",
  expired: "it has expired; make another with createApiKey",
  replaced: "another has taken its place; rotate that one",
} as const;

function answer(key: ApiKey, nowMs: number): Answer {
  return { body: shown(key, nowMs), number: key.number };
}

function madeAnswer(
  {
    key,
    text,
    former,
    warnings = [],
  }: MadeApiKey & { readonly former?: ApiKey; readonly warnings?: readonly string[] },
  nowMs: number,
): Answer {
  return {
    body: {
      apiKey: shown(key, nowMs),
      key: text,
      ...(former === undefined ? {} : { former: shown(former, nowMs) }),
      warnings,
    },
    number: key.number,
    location: `/v1/api-keys/${key.id}`,
  };
}

/** Of what nobody would miss: a key that is new was not used either. */
function isUnused(
  key: ApiKey,
  { sinceMs, nowMs }: { readonly sinceMs: number; readonly nowMs: number },
): boolean {
  const state = stateOf(key, nowMs);
  const isGood = state === "active" || state === "replaced";
  return isGood && Math.max(key.usedMs ?? 0, key.createdMs) < sinceMs;
}

function stateOf({ revoked, expiresMs, replacedBy }: ApiKey, nowMs: number) {
  if (revoked !== undefined) return "revoked";
  if (expiresMs <= nowMs) return "expired";
  return replacedBy === undefined ? "active" : "replaced";
}

function shown(key: ApiKey, nowMs: number): z.input<typeof shownSchema> {
  const { createdMs, expiresMs, usedMs, revoked, number: _, ...plain } = key;
  return {
    ...plain,
    state: stateOf(key, nowMs),
    created: timeText(createdMs),
    expires: timeText(expiresMs),
    ...(usedMs === undefined ? {} : { used: timeText(usedMs) }),
    ...(revoked === undefined ? {} : { revoked: revokedOf(revoked) }),
  };
}

function revokedOf({
  atMs,
  by,
  reason,
}: NonNullable<ApiKey["revoked"]>): z.input<typeof shownSchema>["revoked"] {
  return { at: timeText(atMs), by, ...(reason === undefined ? {} : { reason }) };
}
