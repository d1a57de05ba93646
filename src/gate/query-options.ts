/** Query parameters that a route sets, adds and removes, by their decoded names. */
import { z } from "zod";
import { parseTemplate, type Template } from "./template.ts";

const LIMITS = {
  /** Parameters that each verb names; more belongs into the service. */
  names: 32,
  /** Characters of a name or value; a request target has to hold all of them at once. */
  text: 2048,
} as const;

/** A parameter and what it is to hold. */
export interface QueryTemplate {
  /** Decoded, as it was written. */
  readonly key: string;
  readonly value: Template;
}

const nameSchema = z
  .string("the name of a parameter")
  .min(1, "the name of a parameter")
  .max(LIMITS.text, `at most ${LIMITS.text} characters`)
  .refine((name) => name.isWellFormed(), "Unicode text");

const valueSchema = z
  .string("a quoted text")
  .max(LIMITS.text, `at most ${LIMITS.text} characters`)
  .refine((text) => text.isWellFormed(), "Unicode text")
  .transform((text, context): Template => {
    const parsed = parseTemplate(text);
    if ("template" in parsed) return parsed.template;
    context.addIssue({ code: "custom", message: parsed.remedy });
    return z.NEVER;
  });

const pairsSchema = z
  .record(nameSchema, valueSchema)
  .refine(
    (pairs) => Object.keys(pairs).length <= LIMITS.names,
    `at most ${LIMITS.names} parameters`,
  )
  .transform((pairs): readonly QueryTemplate[] =>
    Object.entries(pairs).map(([key, value]) => ({ key, value })),
  );

export const queryChangesSchema = z
  .strictObject({
    remove: z
      .array(nameSchema)
      .min(1, "at least one name")
      .max(LIMITS.names, `at most ${LIMITS.names} names`)
      .describe("Decoded names of parameters that are removed, however they were encoded.")
      .optional(),
    set: pairsSchema
      .describe(
        "Name to value, both unencoded; replaces parameters of that name and stands at the end. Values take `${principal.subject}` and the like; one that names something absent sets nothing.",
      )
      .optional(),
    add: pairsSchema
      .describe("As `set`, but parameters of that name stay and this one comes behind them.")
      .optional(),
  })
  .superRefine((query, context) => {
    const taken = new Set<string>();
    const take = (name: string, path: (string | number)[]): void => {
      const message = `"${name}" in one of remove, set and add`;
      if (taken.has(name)) context.addIssue({ code: "custom", path, message });
      taken.add(name);
    };
    for (const { key } of query.set ?? []) take(key, ["set", key]);
    for (const { key } of query.add ?? []) take(key, ["add", key]);
    for (const [index, name] of (query.remove ?? []).entries()) take(name, ["remove", index]);
  })
  .describe(
    "Parameters to remove, set and add. Of all others, order and spelling stay. A query in which a name cannot be decoded is refused on such a route.",
  )
  .readonly();

export type QueryChanges = z.output<typeof queryChangesSchema>;
