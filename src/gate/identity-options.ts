/**
 * What a service is told of the caller: a signed assertion, plain fields, both or nothing. A service has
 * them for all of its routes, and a route may have its own instead.
 */
import { z } from "zod";

const LIMITS = {
  /** Characters of an audience; as long as the URLs that are used for it get. */
  audience: 2048,
  /** Attributes of one assertion: all of them travel with each request. */
  attributes: 64,
} as const;

/** Claims that may be left out; those that say who the caller is are always there. */
export const ASSERTION_CLAIMS = ["roles", "groups", "scope", "act", "authn", "device"] as const;
export type AssertionClaim = (typeof ASSERTION_CLAIMS)[number];

export const assertionSchema = z
  .strictObject({
    audience: z
      .string()
      .regex(/^[\x21-\x7e]+$/, "visible ASCII, such as billing or https://billing.internal")
      .max(LIMITS.audience)
      .optional()
      .describe(
        "Who the assertion is for (`aud`); a service must accept no other. The name of the service when left out.",
      ),
    claims: z
      .array(z.enum(ASSERTION_CLAIMS), `a list of ${ASSERTION_CLAIMS.join(", ")}`)
      .max(ASSERTION_CLAIMS.length)
      .refine((claims) => new Set(claims).size === claims.length, "each claim once")
      .default([...ASSERTION_CLAIMS])
      .describe(
        "What it says beside issuer, audience, times, subject, kind and authenticator: `roles`, `groups`, `scope`, `act` (who acts for the caller), `authn` (`client_id`, `acr`, `amr`, `auth_time`), `device`. All when left out. Each makes it longer, and a request whose assertion would have more than 8 KiB is refused (400 `unfit-value`).",
      ),
    attributes: z
      .array(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, "the name of an attribute"),
        "a list of names of attributes",
      )
      .max(LIMITS.attributes, `at most ${LIMITS.attributes}`)
      .refine((names) => new Set(names).size === names.length, "each attribute once")
      .default([])
      .describe(
        "Attributes of the caller that it carries under `attributes`, as authenticators declare them under `principal.attributes`. None when left out.",
      ),
  })
  .readonly();

/** Plain fields, each `x-sallyport-` and the name. */
export const IDENTITY_FIELDS = [
  "subject",
  "kind",
  "authenticator",
  "roles",
  "groups",
  "scopes",
  "actor",
] as const;
export type IdentityField = (typeof IDENTITY_FIELDS)[number];

export const identityFieldsSchema = z
  .array(z.enum(IDENTITY_FIELDS), `a list of ${IDENTITY_FIELDS.join(", ")}`)
  .min(1, "at least one")
  .max(IDENTITY_FIELDS.length)
  .refine((names) => new Set(names).size === names.length, "each field once")
  .readonly();

const OF_ROUTE = "Instead of the service's own";

/** Of a service. */
export const serviceIdentityShape = {
  assertion: assertionSchema
    .optional()
    .describe(
      "Sends `x-sallyport-assertion` with each request of a known caller: a signed token (60 s) that says to this service, and to no other, who is calling. `{}` takes all defaults. None when left out.",
    ),
  identityFields: identityFieldsSchema
    .optional()
    .describe(
      "Plain fields that say who is calling: `subject` is sent as `x-sallyport-subject`, and so `kind`, `authenticator`, `roles`, `groups`, `scopes`, `actor`. Only a service that nobody else can reach may believe them. What is not visible ASCII, `%` and, within lists, `,` is percent-encoded. None when left out.",
    ),
};

/** Of a route. */
export const routeIdentityShape = {
  assertion: z
    .union([z.literal(false), assertionSchema], "an assertion as services have it, or false")
    .optional()
    .describe(`${OF_ROUTE} \`assertion\`; \`false\`: none on this route.`),
  identityFields: z
    .union([z.literal(false), identityFieldsSchema], "a list as services have it, or false")
    .optional()
    .describe(`${OF_ROUTE} \`identityFields\`; \`false\`: none on this route.`),
};

export type AssertionOptions = z.output<typeof assertionSchema>;

/** What of the two counts on a route. */
export function ofRouteOrService<Option>(
  ofRoute: Option | false | undefined,
  ofService: Option | undefined,
): Option | undefined {
  return ofRoute === undefined ? ofService : ofRoute === false ? undefined : ofRoute;
}
