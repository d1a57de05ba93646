/**
 * `/v1/bundles`: what proxies are told to run, and were told before. Each publication gives every group
 * of proxies one bundle; its contents travel by the feed only.
 */
import { z } from "zod";
import type { AdminDeps, PublicationView } from "./admin-deps.ts";
import { type Operation, operation, timeSchema, timeText } from "./operation.ts";
import { nextSchema, pageOf, pageOfAll, pageQuery } from "./paging.ts";
import { found, present } from "./present.ts";

const publicationSchema = z
  .strictObject({
    hash: z.string().describe("`sha256-…` of the whole configuration."),
    published: timeSchema,
    by: z.string().describe("Who published it."),
    inForce: z.boolean(),
    parts: z
      .array(
        z.strictObject({
          proxies: z.string().describe("Pattern of their names."),
          services: z.array(z.string()).optional().describe("What they serve; absent: all."),
          bundle: z.string().describe("`sha256-…` of its bytes."),
          bytes: z.int(),
        }),
      )
      .describe("Who is to run what. The first pattern that matches a name counts."),
  })
  .meta({ id: "Publication", description: "What one configuration gives to proxies." });

const tag = "bundles";

export const bundleOperations: readonly Operation[] = [
  operation(
    {
      operation: "listBundles",
      method: "get",
      path: "/v1/bundles",
      tag,
      summary: "What proxies are told to run, and were told lately",
      query: z.strictObject(pageQuery),
      answers: {
        status: 200,
        description: "One page of publications, newest first.",
        schema: z.strictObject({ bundles: z.array(publicationSchema), next: nextSchema }),
      },
      problems: [404],
    },
    (call, deps) => {
      const all = publications(deps).map((one, index) => ({ one, place: placeOf(index) }));
      const { items, next } = pageOfAll(all, ({ place }) => place, pageOf(call.query));
      const bundles = items.map(({ one }) => shown(one));
      return { body: { bundles, ...(next === undefined ? {} : { next }) } };
    },
  ),
  operation(
    {
      operation: "getBundle",
      method: "get",
      path: "/v1/bundles/{hash}",
      tag,
      summary: "One publication",
      params: z.strictObject({
        hash: z
          .string()
          .regex(/^sha256-[A-Za-z0-9_-]{43}$/, "sha256- and 43 characters of base64url")
          .describe("Of the whole configuration."),
      }),
      answers: { status: 200, description: "The publication.", schema: publicationSchema },
      problems: [404],
    },
    ({ params: { hash } }, deps) => ({
      body: shown(found(publications(deps).find((one) => one.hash === hash))),
    }),
  ),
];

function publications({ bundles }: AdminDeps): readonly PublicationView[] {
  return present(bundles, "bundles").list();
}

/** Sorts as the numbers do. */
function placeOf(index: number): string {
  return String(index).padStart(6, "0");
}

function shown({
  hash,
  atMs,
  by,
  inForce,
  parts,
}: PublicationView): z.input<typeof publicationSchema> {
  return {
    hash,
    published: timeText(atMs),
    by,
    inForce,
    parts: parts.map(({ proxy, services, bundle, bytes }) => ({
      proxies: proxy,
      ...(services === "all" ? {} : { services: [...services] }),
      bundle,
      bytes,
    })),
  };
}
