/**
 * Options of the operators' listener: liveness, readiness and metrics. It serves nothing else, and
 * nothing of it is served on any other listener.
 */
import { z } from "zod";
import { addressSchema } from "../model/options.ts";

export const adminSchema = z
  .strictObject({
    address: addressSchema.describe(
      "Where `/livez`, `/readyz` and `/metrics` answer, in plain HTTP. Keep it on loopback or in the operators' network: these three are open to whoever reaches it.",
    ),
  })
  .readonly();

export type AdminOptions = z.output<typeof adminSchema>;
