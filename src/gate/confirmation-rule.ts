/**
 * Whether a route takes tokens that are bound to nobody. Whatever it says, a bound token without its
 * proof is refused.
 */
import { z } from "zod";

export const CONFIRMATION_RULES = ["required", "when-bound", "report"] as const;
export type ConfirmationRule = (typeof CONFIRMATION_RULES)[number];

export const confirmationSchema = z
  .enum(CONFIRMATION_RULES)
  .default("when-bound")
  .describe(
    "`required`: tokens that are bound to no key and no certificate are refused (401 `unbound-token`). `when-bound`: they are taken. `report`: they are taken, and each is on record, so that it can be seen who would fail before it is required. A bound token without its proof is refused always.",
  );
