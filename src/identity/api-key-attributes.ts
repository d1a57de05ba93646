/** Attributes of principals that are known by an API key: their values stand with the key. */
import { z } from "zod";

const LIMITS = {
  attributes: 64,
  items: 256,
} as const;

const TYPES = ["string", "bool", "long", "strings"] as const;

const IS_OF_TYPE = {
  string: (value: unknown) => typeof value === "string",
  bool: (value: unknown) => typeof value === "boolean",
  long: (value: unknown) => typeof value === "number",
  strings: (value: unknown) => Array.isArray(value),
} as const;

const declarationSchema = z
  .strictObject({
    type: z
      .enum(TYPES)
      .describe("`string`, `bool`, `long` (64-bit whole number) or `strings` (set of texts)."),
    default: z
      .union([z.string(), z.boolean(), z.int(), z.array(z.string()).max(LIMITS.items)])
      .optional()
      .describe("Of keys that have none. Without it no key is made that has none."),
  })
  .refine(
    (declared) => declared.default === undefined || IS_OF_TYPE[declared.type](declared.default),
    { path: ["default"], error: "a value of the declared type" },
  )
  .readonly();

export const apiKeyAttributesSchema = z
  .record(
    z
      .string()
      .regex(
        /^[A-Za-z_][A-Za-z0-9_]{0,62}$/,
        "an attribute name of letters, digits and '_' that does not begin with a digit",
      ),
    declarationSchema,
  )
  .refine((all) => Object.keys(all).length <= LIMITS.attributes, `at most ${LIMITS.attributes}`)
  .readonly();
