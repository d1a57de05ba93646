/** What documents of several registers are made of: texts, lists of names, values of attributes, times. */
import { z } from "zod";

const LIMITS = {
  name: 256,
  /** Of each list: what a program needs, not what a directory has. */
  items: 100,
  attributes: 64,
  text: 1024,
} as const;

/** Text that every engine of the store can keep, and that makes no other line of a log or a screen. */
export function text(max: number, min = 1) {
  return (
    z
      .string()
      .min(min)
      .max(max)
      .refine((value) => value.isWellFormed(), "text in Unicode")
      // oxlint-disable-next-line no-control-regex -- they are what it looks for
      .regex(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$/, "text without control characters")
  );
}

/** Scopes, roles, groups, services. */
export const names = z
  .array(text(LIMITS.name))
  .max(LIMITS.items)
  .refine((list) => new Set(list).size === list.length, "each once");

const attributeValue = z.union([
  text(LIMITS.text, 0),
  z.boolean(),
  z.int(),
  z.array(text(LIMITS.text)).max(LIMITS.items),
]);

/** By name. */
export const attributeValues = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, "a name of an attribute"),
    attributeValue,
  )
  .refine((all) => Object.keys(all).length <= LIMITS.attributes, `at most ${LIMITS.attributes}`);

/** Milliseconds since the epoch. */
export const time = z
  .int()
  .min(1)
  .max(Date.UTC(2100, 0, 1));
