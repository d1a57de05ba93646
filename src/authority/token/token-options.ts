/** Options of the token endpoint: who may ask without registration, what can be exchanged, how long keys live. */
import { z } from "zod";
import { duration, nameSchema } from "../../model/options.ts";

const LIMITS = {
  /** Authenticators of one list, as many as a route can name. */
  authenticators: 16,
} as const;

const authenticatorsSchema = z
  .array(nameSchema, "a list of authenticators")
  .max(LIMITS.authenticators, `at most ${LIMITS.authenticators}`)
  .refine((names) => new Set(names).size === names.length, "each name once")
  .readonly()
  .default([]);

export const tokenOptionsSchema = z
  .strictObject({
    clients: authenticatorsSchema.describe(
      "Authenticators of type `mtls`, `jwt-svid` or `kubernetes`: up to 16 names. Whomever one of them knows is a client without registration: by its certificate, or by its token as `client_assertion`. Only declared and registered clients when left out.",
    ),
    subjects: authenticatorsSchema.describe(
      "Authenticators whose tokens can be exchanged for keys (as `subject_token`, `actor_token` or `assertion`): up to 16 names of those that take tokens, the one of type `sallyport` among them where keys may be narrowed. Nothing can be exchanged when left out.",
    ),
    lifetime: duration({ min: "1s", max: "24h" })
      .optional()
      .describe(
        "How long a key lives unless less is asked for (`expires_in`), from 1s to 24h and at most `authority.lifetime`, which it is when left out. What it is derived from may end it earlier.",
      ),
  })
  .readonly();

/** Checked; `lifetime` in milliseconds. */
export type TokenOptions = z.output<typeof tokenOptionsSchema>;
