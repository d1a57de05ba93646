/** `/v1/keys`: the keys that sign on our behalf, without their private halves, and changing them. */
import { z } from "zod";
import { KEY_USES, SIGNING_ALGORITHMS } from "../model/signing.ts";
import type { AdminDeps } from "./admin-deps.ts";
import { type Answer, type Operation, operation, timeSchema, timeText } from "./operation.ts";
import { nextSchema, pageOf, pageOfAll, pageQuery } from "./paging.ts";
import { present } from "./present.ts";

const keySchema = z
  .strictObject({
    kid: z.string(),
    use: z.enum(KEY_USES).describe("What it signs; a key never signs anything else."),
    algorithm: z.enum(SIGNING_ALGORITHMS),
    state: z
      .enum(["upcoming", "active", "retired"])
      .describe(
        "`upcoming`: published and not used yet. `active`: signs. `retired`: only verifies.",
      ),
    created: timeSchema,
    active: timeSchema.describe("It signs from here on."),
    retired: timeSchema.describe("It signs no more from here on."),
    removed: timeSchema.describe("It verifies until here."),
    next: timeSchema.optional().describe("When its successor is to sign; of the active one."),
    because: z.string().describe("`first`, `schedule`, `asked` or `emergency`."),
    by: z.string().optional().describe("Who asked for it."),
    replaced: z.array(z.string()).describe("Keys that it put an end to at once."),
  })
  .meta({ id: "Key", description: "A key that signs, signed, or is to sign." });

const params = z.strictObject({ use: z.enum(KEY_USES).describe("What the key signs.") });
const tag = "keys";
const keysOfUse = z.strictObject({ keys: z.array(keySchema) }).meta({ id: "KeysOfUse" });

export const keyOperations: readonly Operation[] = [
  operation(
    {
      operation: "listKeys",
      method: "get",
      path: "/v1/keys",
      tag,
      summary: "Keys that are published",
      query: z.strictObject(pageQuery),
      answers: {
        status: 200,
        description: "One page of them, by use and time.",
        schema: z.strictObject({ keys: z.array(keySchema), next: nextSchema }),
      },
      problems: [404],
    },
    (call, deps) => {
      const all = keysOf(deps).list();
      const place = (one: Shown): string => `${one.use} ${timeText(one.activeMs)} ${one.kid}`;
      const { items, next } = pageOfAll(all, place, pageOf(call.query));
      return { body: { keys: items.map(shown), ...(next === undefined ? {} : { next }) } };
    },
  ),
  operation(
    {
      operation: "rotateKey",
      method: "post",
      path: "/v1/keys/{use}/rotate",
      tag,
      summary: "Publishes the next key now; it signs as soon as everybody knows it",
      params,
      idempotent: true,
      answers: { status: 200, description: "The keys of this use.", schema: keysOfUse },
      problems: [404],
    },
    ({ params: { use }, by }, deps) => rotated(use, { emergency: false, by }, deps),
  ),
  operation(
    {
      operation: "rotateKeyNow",
      method: "post",
      path: "/v1/keys/{use}/emergency",
      tag,
      summary: "A new key signs at once, and nothing that the former ones signed verifies any more",
      description:
        "For a key that is in other hands. Everything that it has signed is worth nothing.",
      params,
      idempotent: true,
      answers: { status: 200, description: "The keys of this use.", schema: keysOfUse },
      problems: [404],
    },
    ({ params: { use }, by }, deps) => rotated(use, { emergency: true, by }, deps),
  ),
];

type Desk = NonNullable<AdminDeps["keys"]>;
type Shown = ReturnType<Desk["list"]>[number];

function keysOf({ keys }: AdminDeps): Desk {
  return present(keys, "keys");
}

async function rotated(
  use: (typeof KEY_USES)[number],
  options: { readonly emergency: boolean; readonly by: string },
  deps: AdminDeps,
): Promise<Answer> {
  const keys = keysOf(deps);
  await keys.rotate(use, options);
  return {
    body: {
      keys: keys
        .list()
        .filter((key) => key.use === use)
        .map(shown),
    },
  };
}

function shown(key: Shown): z.input<typeof keySchema> {
  const { kid, use, algorithm, state, because, by, nextMs } = key;
  return {
    kid,
    use,
    algorithm,
    state,
    created: timeText(key.createdMs),
    active: timeText(key.activeMs),
    retired: timeText(key.retiredMs),
    removed: timeText(key.removedMs),
    ...(nextMs === undefined ? {} : { next: timeText(nextMs) }),
    because,
    ...(by === undefined ? {} : { by }),
    replaced: [...key.replaced],
  };
}
