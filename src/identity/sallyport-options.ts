/** Options of an authenticator of type `sallyport`: the keys that our own authority issues. */
import { z } from "zod";
import { duration } from "../model/options.ts";
import { clientPrincipalSchema } from "./claims/client-principal.ts";

const LIMITS = {
  /** URLs; no real one comes near. */
  chars: 2048,
} as const;

export const sallyportOptionsSchema = z
  .strictObject({
    type: z
      .literal("sallyport")
      .describe(
        "Provisioning keys: short-lived tokens that our own authority issues (`authority.tokens`). One in a configuration.",
      ),
    issuer: z
      .string()
      .min(1)
      .max(LIMITS.chars)
      .optional()
      .describe(
        "`iss` of its keys: that of the authority, and nothing else. When left out it is `authority.issuer`; proxies get it with what is published to them.",
      ),
    clockSkew: duration({ min: "0s", max: "1m" })
      .prefault("30s")
      .describe("Tolerance on `exp` and `iat`, for clocks that differ from the authority's."),
    principal: clientPrincipalSchema
      .prefault({})
      .describe(
        "What policies can know of clients that are declared or registered. Whoever another authenticator knows keeps the principal that it has there.",
      ),
  })
  .readonly();

/** Checked; durations in milliseconds. */
export type SallyportOptions = z.output<typeof sallyportOptionsSchema>;
