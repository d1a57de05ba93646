/** Options of an authenticator of type `jwt-svid`: JWT-SVIDs of one SPIFFE trust domain. */
import { z } from "zod";
import { duration } from "../model/options.ts";
import { compileSpiffePath, whyNoPathPattern } from "./spiffe/spiffe-path.ts";
import { spiffeRuleSchema } from "./spiffe/spiffe-match.ts";
import { grantProblems, rulesOf, staticPrincipalShape } from "./claims/static-principal-options.ts";
import { trustBundleSchema, trustDomainSchema } from "./spiffe/trust-options.ts";

const LIMITS = {
  /** URLs and audiences; no real one comes near. */
  chars: 2048,
  audience: 16,
} as const;

/** JWT-SVID specification, section 2.1: these, and none other. */
export const JWT_SVID_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
] as const;

export const jwtSvidOptionsSchema = z
  .strictObject({
    type: z.literal("jwt-svid").describe("JWT-SVIDs of a SPIFFE trust domain."),
    trustDomain: trustDomainSchema.describe(
      "The trust domain whose JWT-SVIDs it is for, without `spiffe://`.",
    ),
    bundle: trustBundleSchema,
    audience: z
      .array(z.string().min(1).max(LIMITS.chars), "a list of audiences")
      .min(1, "at least one audience")
      .max(LIMITS.audience, `at most ${LIMITS.audience}`)
      .optional()
      .describe("What a token must be meant for (`aud`) on routes that name no `audience`."),
    algorithms: z
      .array(z.enum(JWT_SVID_ALGORITHMS), `a list of ${JWT_SVID_ALGORITHMS.join(", ")}`)
      .min(1, "at least one algorithm")
      .default([...JWT_SVID_ALGORITHMS])
      .describe("Accepted `alg`; all that the JWT-SVID specification allows when left out."),
    clockSkew: duration({ min: "0s", max: "5m" })
      .prefault("30s")
      .describe("Tolerance on `exp`, `nbf` and `iat`."),
    maxAge: duration({ min: "1s", max: "30d" })
      .optional()
      .describe("Tokens older than this by `iat` are refused as expired, and those without `iat`."),
    match: rulesOf(spiffeRuleSchema)
      .optional()
      .describe(
        "Which SPIFFE IDs are accepted, and what policies are told of them; every ID of the trust domain when left out.",
      ),
    principal: z
      .strictObject(staticPrincipalShape)
      .readonly()
      .prefault({})
      .describe("What policies see of those whom it knows."),
  })
  .superRefine(({ match = [], principal }, context) => {
    for (const [index, rule] of match.entries()) {
      // What is wrong with the path itself is said where it stands.
      const names =
        whyNoPathPattern(rule.path) === undefined ? compileSpiffePath(rule.path).names : [];
      for (const { name, message } of grantProblems(rule, principal.attributes, names)) {
        const path = ["match", index, "attributes", name];
        context.addIssue({ code: "custom", path, message });
      }
    }
  })
  .readonly();

export type JwtSvidOptions = z.output<typeof jwtSvidOptionsSchema>;
