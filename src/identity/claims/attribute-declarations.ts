/**
 * What every way to declare attributes and roles has in common, wherever their values come from: the claims
 * of a token, the patterns of a configuration, an API key.
 */
import { z } from "zod";
import type { AttributeType } from "../../model/principal.ts";

const LIMITS = {
  attributes: 64,
  /** Texts in a value of type `strings`. */
  items: 256,
} as const;

const TYPES = ["string", "bool", "long", "strings"] as const satisfies readonly AttributeType[];

export const attributeTypeSchema = z
  .enum(TYPES)
  .describe("`string`, `bool`, `long` (64-bit whole number) or `strings` (set of texts).");

export const attributeNameSchema = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,62}$/,
    "an attribute name of letters, digits and '_' that does not begin with a digit",
  );

/** A value as a configuration writes it. */
export const attributeValueSchema = z.union([
  z.string(),
  z.boolean(),
  z.int(),
  z.array(z.string()).max(LIMITS.items),
]);

export type WrittenValue = string | boolean | number | readonly string[];

export function isOfType(value: WrittenValue, type: AttributeType): boolean {
  if (type === "string") return typeof value === "string";
  if (type === "bool") return typeof value === "boolean";
  return type === "long" ? typeof value === "number" : Array.isArray(value);
}

/** For a declaration whose default, where it has one, must be of its type. */
export function fitsItsType(declared: {
  readonly type: AttributeType;
  readonly default?: WrittenValue | undefined;
}): boolean {
  return declared.default === undefined || isOfType(declared.default, declared.type);
}

export const UNFIT_DEFAULT = { path: ["default"], error: "a value of the declared type" };

/** Name → declaration. */
export function declarationsOf<T extends z.ZodType>(declaration: T) {
  return z
    .record(attributeNameSchema, declaration)
    .refine((all) => Object.keys(all).length <= LIMITS.attributes, `at most ${LIMITS.attributes}`)
    .readonly();
}

/**
 * A role that may be asserted without its authenticator's name before it. `Role::"corp/Reader"` is what corp
 * asserts; another authenticator must not say it for it.
 */
export const bareRoleSchema = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^/]*$/, "a role without '/': what has one belongs to the authenticator before it");
