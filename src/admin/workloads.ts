/**
 * `/v1/workloads`: the machines that are known by an identity of ours. A join token is in the answer of
 * `enrol` and `reenrol` and nowhere else, and is shown once.
 */
import { z } from "zod";
import {
  ENROLMENT_METHODS,
  type Invitation,
  type Workload,
  WORKLOAD_KINDS,
  WORKLOAD_STATES,
  type WorkloadRefusal,
} from "../model/workloads.ts";
import { workloadNameSchema } from "../model/workload-name.ts";
import type { AdminDeps } from "./admin-deps.ts";
import { type Answer, type Operation, operation, timeSchema, timeText } from "./operation.ts";
import { cursorOf, nextSchema, pageOf, pageQuery } from "./paging.ts";
import { found, present } from "./present.ts";
import { AdminProblem } from "./problem.ts";
import { reasonSchema } from "./text.ts";

const workloadSchema = z
  .strictObject({
    name: z.string(),
    kind: z.enum(WORKLOAD_KINDS).describe("`proxy`: may follow the feed. `workload`: may not."),
    method: z.enum(ENROLMENT_METHODS).describe("How it proves who it is."),
    state: z
      .enum(WORKLOAD_STATES)
      .describe(
        "`invited`: a join token is out. `lapsed`: it was not redeemed in time. `expired`: it did not renew in time.",
      ),
    id: z.string().describe("Its SPIFFE ID, as certificates have it."),
    created: timeSchema,
    createdBy: z.string(),
    key: z
      .strictObject({
        thumbprint: z.string().describe("RFC 7638, of its public key."),
        registered: timeSchema,
        expires: timeSchema,
        serial: z.string().optional().describe("Hex, of its newest certificate."),
      })
      .optional()
      .describe("The one key that counts; absent until a join token is redeemed."),
    invitedUntil: timeSchema.optional().describe("The join token that is out ends then."),
    disabled: z
      .strictObject({ at: timeSchema, by: z.string(), reason: z.string().optional() })
      .optional(),
    seen: timeSchema.optional().describe("When it was last there, to within some minutes."),
    suspicion: z
      .strictObject({ at: timeSchema, address: z.string() })
      .optional()
      .describe("A key that had been replaced was used: it may be in two hands. Enrol it anew."),
  })
  .meta({ id: "Workload", description: "A machine that is known by an identity of ours." });

const invitationSchema = z
  .strictObject({
    workload: workloadSchema,
    token: z
      .string()
      .describe("The join token, shown once. Whoever has it may become the machine."),
    expires: timeSchema.describe("It can be redeemed until then."),
  })
  .meta({ id: "Invitation", description: "A join token, and the machine that it is for." });

const params = z.strictObject({
  name: z.string().min(1).max(255).describe("Name of the machine."),
});
const tag = "workloads";
const oneWorkload = {
  status: 200,
  description: "The workload.",
  schema: workloadSchema,
  tagged: true,
} as const;
const invited = {
  status: 201,
  description: "A join token, shown this once.",
  schema: invitationSchema,
  tagged: true,
} as const;

export const workloadOperations: readonly Operation[] = [
  operation(
    {
      operation: "listWorkloads",
      method: "get",
      path: "/v1/workloads",
      tag,
      summary: "Enrolled and invited machines",
      query: z.strictObject({
        ...pageQuery,
        unusedSince: z.iso
          .datetime()
          .optional()
          .describe(
            "Only those that were not there since then; pages may then be short, or empty with a `next`.",
          ),
      }),
      answers: {
        status: 200,
        description: "One page of them, by name.",
        schema: z.strictObject({ workloads: z.array(workloadSchema), next: nextSchema }),
      },
      problems: [404],
    },
    async ({ query: { unusedSince, ...page } }, deps) => {
      const register = registerOf(deps);
      const unused = unusedSince === undefined ? {} : { unusedSinceMs: Date.parse(unusedSince) };
      const { workloads, next } = await register.list({ ...pageOf(page), ...unused });
      return {
        body: {
          workloads: workloads.map(shown),
          ...(next === undefined ? {} : { next: cursorOf(next) }),
        },
      };
    },
  ),
  operation(
    {
      operation: "enrolWorkload",
      method: "post",
      path: "/v1/workloads",
      tag,
      summary: "Invites a machine: makes a single-use join token",
      body: z.strictObject({
        name: workloadNameSchema,
        kind: z.enum(WORKLOAD_KINDS).default("workload"),
        method: z.enum(ENROLMENT_METHODS).default("mtls"),
      }),
      idempotent: true,
      secret: true,
      answers: invited,
      problems: [404, 409],
    },
    async ({ body: { name, kind, method }, by }, deps) => {
      if (kind === "proxy" && method !== "mtls") {
        throw new AdminProblem("invalid-input", undefined, [
          { at: "/method", message: "a proxy enrols with mtls", remedy: "mtls, or kind workload" },
        ]);
      }
      const register = registerOf(deps);
      await refuseUnserved(deps);
      return invitation(name, await register.enrol(name, { kind, method, by }));
    },
  ),
  operation(
    {
      operation: "getWorkload",
      method: "get",
      path: "/v1/workloads/{name}",
      tag,
      summary: "One machine",
      params,
      answers: oneWorkload,
      problems: [404],
    },
    async ({ params: { name } }, deps) => workload(name, found(await registerOf(deps).get(name))),
  ),
  operation(
    {
      operation: "removeWorkload",
      method: "delete",
      path: "/v1/workloads/{name}",
      tag,
      summary: "Forgets a machine; its certificate, while it lasts, names nobody",
      params,
      conditional: true,
      answers: { status: 204, description: "It is gone." },
      problems: [404, 409],
    },
    async ({ params: { name }, by, ifMatch }, deps) => {
      const gone = await registerOf(deps).remove(name, { by, expect: ifMatch });
      if ("refused" in gone) throw refusal(gone, name);
      return {};
    },
  ),
  operation(
    {
      operation: "disableWorkload",
      method: "post",
      path: "/v1/workloads/{name}/disable",
      tag,
      summary: "From now on nothing of it is accepted",
      params,
      body: z.strictObject({ reason: reasonSchema.optional() }).default({}),
      bodyOptional: true,
      conditional: true,
      idempotent: true,
      answers: oneWorkload,
      problems: [404, 409],
    },
    async ({ params: { name }, body: { reason }, by, ifMatch }, deps) =>
      workload(name, await registerOf(deps).disable(name, { by, reason, expect: ifMatch })),
  ),
  operation(
    {
      operation: "enableWorkload",
      method: "post",
      path: "/v1/workloads/{name}/enable",
      tag,
      summary: "Undoes that",
      params,
      conditional: true,
      idempotent: true,
      answers: oneWorkload,
      problems: [404, 409],
    },
    async ({ params: { name }, by, ifMatch }, deps) =>
      workload(name, await registerOf(deps).enable(name, { by, expect: ifMatch })),
  ),
  operation(
    {
      operation: "reenrolWorkload",
      method: "post",
      path: "/v1/workloads/{name}/reenrol",
      tag,
      summary: "A new join token for a machine that is known",
      description:
        "What it has now ends when the token is redeemed; with `now`, at once, and a machine that was disabled is let in again as soon as it has a new identity; without it one that is disabled is refused. An earlier token that is still out ends in either case.",
      params,
      body: z.strictObject({ now: z.boolean().default(false) }).default({ now: false }),
      bodyOptional: true,
      conditional: true,
      idempotent: true,
      secret: true,
      answers: invited,
      problems: [404, 409],
    },
    async ({ params: { name }, body: { now }, by, ifMatch }, deps) =>
      invitation(name, await registerOf(deps).reenrol(name, { by, now, expect: ifMatch })),
  ),
];

function registerOf({ workloads }: AdminDeps): NonNullable<AdminDeps["workloads"]> {
  return present(workloads, "register of machines");
}

/** The token could be redeemed nowhere. */
async function refuseUnserved({ process: desk }: AdminDeps): Promise<void> {
  const { serves } = await desk.status();
  if (serves !== undefined) return;
  throw new AdminProblem(
    "conflict",
    "this authority serves no machines: configure authority.serve, such as { address: 0.0.0.0:9443, names: [authority.internal] }, and restart",
  );
}

function refusal({ refused }: WorkloadRefusal, name: string): AdminProblem {
  if (refused === "absent") return new AdminProblem("not-found");
  if (refused === "changed") return new AdminProblem("changed");
  const again = `sallyport workloads re-enrol`;
  const detail =
    refused === "exists"
      ? `it is invited or enrolled already; \`${again} ${name}\` gives it a new token`
      : `it is disabled; \`${again} --now ${name}\` ends what it had and gives it a new token, \`enable\` lets what it had in again`;
  return new AdminProblem("conflict", detail);
}

function workload(name: string, result: Workload | WorkloadRefusal): Answer {
  if ("refused" in result) throw refusal(result, name);
  return { body: shown(result), number: result.number };
}

function invitation(name: string, result: Invitation | WorkloadRefusal): Answer {
  if ("refused" in result) throw refusal(result, name);
  const { workload: invitedOne, token, expiresMs } = result;
  return {
    body: { workload: shown(invitedOne), token, expires: timeText(expiresMs) },
    number: invitedOne.number,
    location: `/v1/workloads/${encodeURIComponent(invitedOne.name)}`,
  };
}

function shown(one: Workload): z.input<typeof workloadSchema> {
  const { key, invitedUntilMs, disabled, seenMs, suspicion } = one;
  return {
    name: one.name,
    kind: one.kind,
    method: one.method,
    state: one.state,
    id: one.id,
    created: timeText(one.createdMs),
    createdBy: one.createdBy,
    ...(key === undefined ? {} : { key: keyOf(key) }),
    ...(invitedUntilMs === undefined ? {} : { invitedUntil: timeText(invitedUntilMs) }),
    ...(disabled === undefined ? {} : { disabled: disabledOf(disabled) }),
    ...(seenMs === undefined ? {} : { seen: timeText(seenMs) }),
    ...(suspicion === undefined
      ? {}
      : { suspicion: { at: timeText(suspicion.atMs), address: suspicion.address } }),
  };
}

function keyOf(key: NonNullable<Workload["key"]>): z.input<typeof workloadSchema>["key"] {
  const { thumbprint, registeredMs, notAfterMs, serial } = key;
  return {
    thumbprint,
    registered: timeText(registeredMs),
    expires: timeText(notAfterMs),
    ...(serial === undefined ? {} : { serial }),
  };
}

function disabledOf({
  atMs,
  by,
  reason,
}: NonNullable<Workload["disabled"]>): z.input<typeof workloadSchema>["disabled"] {
  return { at: timeText(atMs), by, ...(reason === undefined ? {} : { reason }) };
}
