/**
 * Cross-origin calls from browsers (Fetch standard, CORS protocol). Origins compare as whole texts:
 * no suffixes, no patterns, no `null` (which any sandboxed frame and any file sends), and never
 * whatever the caller says together with credentials.
 */
import { z } from "zod";
import { duration } from "../model/options.ts";
import { METHODS } from "../model/vocabulary.ts";

const LIMITS = {
  /** Origins of a route; more is a pattern in disguise. */
  origins: 256,
  /** Field names in a list. */
  names: 64,
} as const;

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const ORIGIN_REMEDY =
  "an origin as browsers send it, such as https://app.example.com (no path, no default port), or '*' alone";

const fieldNames = z
  .array(
    z
      .string()
      .regex(FIELD_NAME, "a header field name (letters, digits and '-')")
      // Browsers would take it for all names, with or without credentials.
      .refine((name) => name !== "*", "the names themselves: '*' is not accepted")
      .transform((name) => name.toLowerCase()),
  )
  .max(LIMITS.names, `at most ${LIMITS.names} names`);

export const corsSchema = z
  .strictObject({
    origins: z
      .array(z.string().refine(isOrigin, ORIGIN_REMEDY))
      .min(1, "at least one origin, or ['*']")
      .max(LIMITS.origins, `at most ${LIMITS.origins} origins`)
      .describe(
        "Origins whose pages may call the route, compared as a whole. `['*']` is every page, and then without credentials.",
      ),
    methods: z
      .array(z.enum(METHODS as [string, ...string[]]))
      .min(1, "at least one method")
      .optional()
      .describe("Methods that pages may use. Without it: those of the route."),
    headers: fieldNames
      .default(["authorization", "content-type"])
      .describe("Header fields that pages may send beyond the plain ones."),
    expose: fieldNames
      .default([])
      .describe("Header fields of answers that pages may read, beside `sallyport-decision`."),
    credentials: z
      .boolean()
      .default(false)
      .describe(
        "Whether pages may let the browser add cookies. Not needed for an Authorization field that the page sets itself.",
      ),
    maxAge: duration({ min: "0s", max: "24h" })
      .prefault("10m")
      .describe("How long browsers may remember the answer to a preflight."),
  })
  .superRefine(({ origins, credentials }, context) => {
    if (!origins.includes("*")) return;
    if (origins.length > 1) {
      context.addIssue({ code: "custom", path: ["origins"], message: "'*' alone, or none" });
    }
    if (credentials) {
      const message = "false, or origins by name: with '*', every page could act as its visitor";
      context.addIssue({ code: "custom", path: ["credentials"], message });
    }
  })
  .readonly();

export type CorsOptions = z.output<typeof corsSchema>;

/** As RFC 6454 section 6.2 serialises it: what a browser sends, letter by letter. */
function isOrigin(text: string): boolean {
  if (text === "*") return true;
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  return new URL(text).origin === text;
}
