/** Lists in pages: `limit`, an opaque `cursor`, and `next` as long as there is more. */
import { z } from "zod";
import { AdminProblem } from "./problem.ts";

const LIMITS = {
  /** Entries of a page. */
  most: 500,
  /** Of a page that nobody has said anything about. */
  usual: 100,
  /** Characters of a cursor: ids are shorter. */
  cursor: 512,
} as const;

export const pageQuery = {
  limit: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, `a number from 1 to ${LIMITS.most}`)
    .transform(Number)
    .refine((limit) => limit <= LIMITS.most, `a number from 1 to ${LIMITS.most}`)
    .optional()
    .meta({
      type: "integer",
      minimum: 1,
      maximum: LIMITS.most,
      description: `Most entries of the page, from 1 to ${LIMITS.most}; ${LIMITS.usual} when left out.`,
    }),
  cursor: z
    .string()
    .min(1)
    .max(LIMITS.cursor)
    .regex(/^[A-Za-z0-9_-]+$/, "the `next` of the page before")
    .optional()
    .describe("The `next` of the page before."),
};

export const nextSchema = z
  .string()
  .optional()
  .describe("Cursor of the page after this one; absent where there is none.");

export interface Page {
  readonly limit: number;
  readonly after: string | undefined;
}

/** Throws AdminProblem where the cursor is none of ours. */
export function pageOf(query: {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}): Page {
  const { limit = LIMITS.usual, cursor } = query;
  if (cursor === undefined) return { limit, after: undefined };
  const after = Buffer.from(cursor, "base64url").toString("utf8");
  if (cursorOf(after) !== cursor) {
    throw new AdminProblem("invalid-input", undefined, [
      { at: "query cursor", message: "it is no cursor", remedy: "the next of the page before" },
    ]);
  }
  return { limit, after };
}

export function cursorOf(after: string): string {
  return Buffer.from(after, "utf8").toString("base64url");
}

/** A page of what is at hand as a whole, by name in code-unit order. */
export function pageOfAll<T>(
  all: readonly T[],
  nameOf: (one: T) => string,
  { limit, after }: Page,
): { readonly items: readonly T[]; readonly next: string | undefined } {
  const sorted = all
    .filter((one) => after === undefined || nameOf(one) > after)
    .toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const items = sorted.slice(0, limit);
  const last = items.at(-1);
  const more = sorted.length > limit && last !== undefined;
  return { items, next: more ? cursorOf(nameOf(last)) : undefined };
}
