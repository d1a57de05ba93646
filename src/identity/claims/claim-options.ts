/** Options that name claims: where they are and what type their values have. */
import { z } from "zod";
import {
  attributeTypeSchema,
  attributeValueSchema,
  declarationsOf,
  fitsItsType,
  UNFIT_DEFAULT,
} from "./attribute-declarations.ts";

const LIMITS = {
  /** Names from the token down to a nested claim. */
  pathNames: 8,
  nameChars: 256,
} as const;

const claimNameSchema = z.string().min(1).max(LIMITS.nameChars);

/**
 * A dotted path (`realm_access.roles`), a URL (`https://example.com/roles`, taken as one name), or
 * a list of names for claims whose own name holds a dot.
 */
export const claimPathSchema = z.union(
  [
    claimNameSchema.refine(
      (text) => isUrlName(text) || text.split(".").every((name) => name !== ""),
      "names divided by single dots",
    ),
    z.array(claimNameSchema).min(1).max(LIMITS.pathNames).readonly(),
  ],
  {
    error:
      "a claim: a dotted path such as realm_access.roles, a URL, or a list of names where a name holds a dot",
  },
);

export type ClaimPath = z.output<typeof claimPathSchema>;

/** The names from the token's claims down to the one that is meant. */
export function claimNames(path: ClaimPath): readonly string[] {
  if (typeof path !== "string") return path;
  return isUrlName(path) ? [path] : path.split(".");
}

/** OpenID's collision-resistant names are URLs; their dots divide nothing. */
function isUrlName(text: string): boolean {
  return /^(?:https?:\/\/|urn:)/.test(text);
}

const declarationSchema = z
  .strictObject({
    claim: claimPathSchema.describe("The claim that holds the value."),
    type: attributeTypeSchema,
    default: attributeValueSchema
      .optional()
      .describe(
        "Used where the claim is absent or null. Without it such tokens are refused (401).",
      ),
  })
  .refine(fitsItsType, UNFIT_DEFAULT)
  .readonly();

export const attributeDeclarationsSchema = declarationsOf(declarationSchema);

export type AttributeDeclarations = z.output<typeof attributeDeclarationsSchema>;
