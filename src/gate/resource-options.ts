/**
 * What OAuth clients are told of a service, or of one route, beside what follows from the rest of the
 * configuration (RFC 9728 section 2): how they find the way in by themselves.
 */
import { z } from "zod";

const LIMITS = {
  /** Characters of a name or a URL: it is shown to people, or opened by them. */
  chars: 2048,
  /** Scopes of one resource; a client may ask for all that it reads here. */
  scopes: 256,
} as const;

const pageSchema = z
  .string()
  .max(LIMITS.chars)
  .refine(
    (text) => URL.canParse(text) && new URL(text).protocol === "https:",
    "an https: URL, such as https://docs.example.com/billing",
  );

export const resourceSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(LIMITS.chars)
      .optional()
      .describe("What people call it (`resource_name`). The name of the service when left out."),
    documentation: pageSchema
      .optional()
      .describe("Page for developers who use it (`resource_documentation`). None when left out."),
    policy: pageSchema
      .optional()
      .describe(
        "Page on how clients may use what they get (`resource_policy_uri`). None when left out.",
      ),
    terms: pageSchema
      .optional()
      .describe("Page with the terms of service (`resource_tos_uri`). None when left out."),
    scopes: z
      .array(
        z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "a scope (RFC 6749 section 3.3)"),
        "a list of scopes",
      )
      .max(LIMITS.scopes, `at most ${LIMITS.scopes}`)
      .optional()
      .describe(
        "Scopes that clients ask their authorization server for (`scopes_supported`). Policies decide which they need. Not said when left out.",
      ),
  })
  .readonly();

export type ResourceOptions = z.output<typeof resourceSchema>;

export const serviceResourceShape = {
  resource: resourceSchema
    .optional()
    .describe(
      "What OAuth clients are told of the service in protected-resource metadata (RFC 9728), on listeners with `serve: [well-known]` and a `publicOrigin`. What follows from the configuration (authorization servers, proofs) is told without it.",
    ),
};

export const routeResourceShape = {
  resource: z
    .union([z.literal(false), resourceSchema], "as services have it, or false")
    .optional()
    .describe(
      "Instead of the service's own `resource`; `false`: clients are told nothing of this route.",
    ),
};
