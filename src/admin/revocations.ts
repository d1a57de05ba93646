/**
 * `/v1/revocations`: taking access away, and giving it back. One entry a target, which may be revoked
 * (what was issued until now is dead) and blocked (nothing is good) at once.
 */
import { z } from "zod";
import { bodyFromStore, LATEST_MS, revocationTargetSchema } from "../keys/revocation-document.ts";
import { type Revocation, RevocationChanged } from "../keys/revocation-register.ts";
import { NEVER } from "../model/revocation.ts";
import type { AdminDeps } from "./admin-deps.ts";
import { type Answer, type Operation, operation, timeSchema, timeText } from "./operation.ts";
import { cursorOf, nextSchema, pageOf, pageQuery } from "./paging.ts";
import { found, present } from "./present.ts";
import { AdminProblem } from "./problem.ts";
import { refuseUnknownNames } from "./revocation-names.ts";
import { reasonSchema } from "./text.ts";

const targetSchema = revocationTargetSchema.meta({
  id: "RevocationTarget",
  description:
    "What is taken away: one credential by its `jti`, everything of a subject, of an authenticator, or what is presented to a service.",
});

const revocationSchema = z
  .strictObject({
    id: z.string().describe("Digest of the target."),
    target: targetSchema,
    revokedUntil: timeSchema
      .optional()
      .describe("What was issued until then is dead; absent: it is not revoked."),
    blocked: z
      .strictObject({ until: timeSchema.optional().describe("Absent: until it is lifted.") })
      .optional()
      .describe("Nothing is good; absent: it is not blocked."),
    reason: z.string().optional(),
    by: z.string().describe("Who wrote it last."),
    changed: timeSchema,
  })
  .meta({ id: "Revocation", description: "What is taken away, since when and by whom." });

const params = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{22}$/, "the digest of a target: 22 characters of base64url")
    .describe("Digest of the target."),
});
const tag = "revocations";
const oneRevocation = {
  description: "The revocation.",
  schema: revocationSchema,
  tagged: true,
} as const;

export const revocationOperations: readonly Operation[] = [
  operation(
    {
      operation: "listRevocations",
      method: "get",
      path: "/v1/revocations",
      tag,
      summary: "What is taken away now",
      query: z.strictObject(pageQuery),
      answers: {
        status: 200,
        description: "One page of them, by id.",
        schema: z.strictObject({ revocations: z.array(revocationSchema), next: nextSchema }),
      },
      problems: [404],
    },
    async ({ query }, deps) => {
      const page = pageOf(query);
      const revocations = await registerOf(deps).list(page);
      const last = revocations.length < page.limit ? undefined : revocations.at(-1);
      return {
        body: {
          revocations: revocations.map(shown),
          ...(last === undefined ? {} : { next: cursorOf(last.digest) }),
        },
      };
    },
  ),
  operation(
    {
      operation: "createRevocation",
      method: "post",
      path: "/v1/revocations",
      tag,
      summary: "Takes access away: in force on every proxy that reaches the feed within a second",
      description:
        "`revoke`: what was issued until now is dead, what is issued later is good. `block`: nothing is good until it is lifted, or until `until`. Told again, a cut-off is moved on and a block is never shortened.",
      body: z.strictObject({
        target: targetSchema,
        mode: z.enum(["revoke", "block"]),
        until: z.iso
          .datetime({ offset: true })
          .optional()
          .describe("Of a block: when it ends by itself. Left out: when it is lifted."),
        expires: z.iso
          .datetime({ offset: true })
          .optional()
          .describe(
            "Of a revocation: when all that it denies has expired by itself, such as the `exp` of the one token. Left out: 400 days from now.",
          ),
        reason: reasonSchema.optional(),
        unchecked: z
          .boolean()
          .default(false)
          .describe(
            "Whatever the target names. Left out, an authenticator or a service that the configuration in force does not have is refused, since that would deny nobody; for one that was just removed.",
          ),
      }),
      idempotent: true,
      answers: { status: 201, ...oneRevocation },
      problems: [404, 409, 422],
    },
    async ({ body, by }, deps) => {
      const { target, mode, until, expires, reason, unchecked } = body;
      const untilMs = laterTime("until", until, { fits: mode === "block", deps });
      const expiresMs = laterTime("expires", expires, { fits: mode === "revoke", deps });
      const register = registerOf(deps);
      if (!unchecked) await refuseUnknownNames(target, deps.config);
      return answer(await register.revoke(target, { mode, untilMs, expiresMs, reason, by }), true);
    },
  ),
  operation(
    {
      operation: "getRevocation",
      method: "get",
      path: "/v1/revocations/{id}",
      tag,
      summary: "One revocation",
      params,
      answers: { status: 200, ...oneRevocation },
      problems: [404],
    },
    async ({ params: { id } }, deps) => answer(await stored(id, deps)),
  ),
  operation(
    {
      operation: "liftRevocation",
      method: "delete",
      path: "/v1/revocations/{id}",
      tag,
      summary: "Gives access back",
      description:
        "What was issued before a cut-off that is lifted, and has not expired, is good again.",
      params,
      query: z.strictObject({
        mode: z
          .enum(["revoke", "block"])
          .optional()
          .describe("What is lifted; all of it when left out."),
      }),
      conditional: true,
      answers: { status: 204, description: "It is lifted." },
      problems: [404],
    },
    async ({ params: { id }, query: { mode }, by, ifMatch }, deps) => {
      const { target } = await stored(id, deps);
      try {
        await registerOf(deps).lift(target, { mode, by, expect: ifMatch });
      } catch (error) {
        throw error instanceof RevocationChanged ? new AdminProblem("changed") : error;
      }
      return {};
    },
  ),
];

function registerOf({ revocations }: AdminDeps): NonNullable<AdminDeps["revocations"]> {
  return present(revocations, "revocations");
}

async function stored(id: string, deps: AdminDeps): Promise<Revocation> {
  registerOf(deps);
  const document = found(await present(deps.store, "revocations").get("revocations", id));
  const { number, timeMs } = document;
  return { ...bodyFromStore(document), digest: id, number, timeMs };
}

/** Throws AdminProblem where the time is past, or is not of this mode. */
function laterTime(
  name: string,
  text: string | undefined,
  { fits, deps }: { readonly fits: boolean; readonly deps: AdminDeps },
): number | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  const message = !fits
    ? "it has no meaning with this mode"
    : ms <= deps.clock.now()
      ? "it lies in the past, so it would deny nothing"
      : ms > LATEST_MS
        ? "it lies after the year 2099; left out, a block lasts until it is lifted"
        : undefined;
  if (message === undefined) return ms;
  throw new AdminProblem("invalid-input", undefined, [{ at: `/${name}`, message }]);
}

function answer(revocation: Revocation, made = false): Answer {
  const { number, digest } = revocation;
  const location = made ? { location: `/v1/revocations/${digest}` } : {};
  return { body: shown(revocation), number, ...location };
}

function shown(revocation: Revocation): z.input<typeof revocationSchema> {
  const { digest, target, cutoff, block, reason, by, timeMs } = revocation;
  return {
    id: digest,
    target,
    ...(cutoff === undefined ? {} : { revokedUntil: timeText(cutoff.atMs) }),
    ...(block === undefined ? {} : { blocked: untilOf(block.untilMs) }),
    ...(reason === undefined ? {} : { reason }),
    by,
    changed: timeText(timeMs),
  };
}

function untilOf(untilMs: number): { readonly until?: string } {
  return untilMs >= NEVER ? {} : { until: timeText(untilMs) };
}
