/** `/v1/roots`: the roots of the authority's own small CA, without their private halves, and changing them. */
import { z } from "zod";
import type { AdminDeps } from "./admin-deps.ts";
import { type Answer, type Operation, operation, timeSchema, timeText } from "./operation.ts";
import { present } from "./present.ts";

const rootSchema = z
  .strictObject({
    certificate: z.string().describe("PEM."),
    state: z
      .enum(["upcoming", "active", "retired"])
      .describe(
        "`upcoming`: trusted and not used yet. `active`: signs. `retired`: only vouches for what it has signed.",
      ),
    created: timeSchema,
    active: timeSchema.describe("It signs from here on."),
    removed: timeSchema.describe("It is trusted until here."),
    next: timeSchema.optional().describe("When its successor is to sign; of the active one."),
    because: z.string().describe("`first`, `schedule`, `asked` or `emergency`."),
    by: z.string().optional().describe("Who asked for it."),
  })
  .meta({ id: "Root", description: "What enrolled machines are certified by." });

const rootsSchema = z.strictObject({ roots: z.array(rootSchema) }).meta({ id: "Roots" });
const tag = "roots";

export const rootOperations: readonly Operation[] = [
  operation(
    {
      operation: "listRoots",
      method: "get",
      path: "/v1/roots",
      tag,
      summary: "Roots that are trusted, oldest first",
      answers: { status: 200, description: "All of them: a few.", schema: rootsSchema },
      problems: [404],
    },
    (_call, deps) => shownRoots(deps),
  ),
  operation(
    {
      operation: "rotateRoot",
      method: "post",
      path: "/v1/roots/rotate",
      tag,
      summary: "Publishes the next root now; it signs in 30 days, when everybody trusts it",
      idempotent: true,
      answers: { status: 200, description: "The roots.", schema: rootsSchema },
      problems: [404],
    },
    ({ by }, deps) => rotated({ emergency: false, by }, deps),
  ),
  operation(
    {
      operation: "rotateRootNow",
      method: "post",
      path: "/v1/roots/emergency",
      tag,
      summary: "A new root is trusted alone, and every machine has to enrol anew",
      description:
        "For a root whose private half is in other hands. Every certificate is void at once, those of proxies and of the feed among them.",
      idempotent: true,
      answers: { status: 200, description: "The new root.", schema: rootsSchema },
      problems: [404],
    },
    ({ by }, deps) => rotated({ emergency: true, by }, deps),
  ),
];

async function rotated(
  options: { readonly emergency: boolean; readonly by: string },
  deps: AdminDeps,
): Promise<Answer> {
  await present(deps.roots, "roots").rotate(options);
  return shownRoots(deps);
}

function shownRoots(deps: AdminDeps): Answer {
  const roots = present(deps.roots, "roots").list();
  return {
    body: {
      roots: roots.map(({ pem, state, createdMs, activeMs, removedMs, nextMs, because, by }) => ({
        certificate: pem,
        state,
        created: timeText(createdMs),
        active: timeText(activeMs),
        removed: timeText(removedMs),
        ...(nextMs === undefined ? {} : { next: timeText(nextMs) }),
        because,
        ...(by === undefined ? {} : { by }),
      })),
    },
  };
}
