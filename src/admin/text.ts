/** Texts that callers write and the store keeps. */
import { z } from "zod";

const LIMITS = {
  /** What an operator says in a sentence or two. */
  reason: 500,
} as const;

export const reasonSchema = z
  .string()
  .min(1)
  .max(LIMITS.reason)
  // Not every engine of the store can keep these.
  .refine((text) => text.isWellFormed() && !text.includes("\0"), "text without NUL")
  .describe(`Why, for operators: at most ${LIMITS.reason} characters.`);
