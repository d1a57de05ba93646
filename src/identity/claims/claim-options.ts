/** Options that name claims: where they are and what type their values have. */
import { z } from "zod";
import type { AttributeType, AttributeValue } from "../../model/principal.ts";

const LIMITS = {
  /** Names from the token down to a nested claim. */
  pathNames: 8,
  nameChars: 256,
  attributes: 64,
  /** Texts in a default of type `strings`. */
  defaultItems: 256,
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

const TYPES = ["string", "bool", "long", "strings"] as const satisfies readonly AttributeType[];

const IS_OF_TYPE: Readonly<Record<AttributeType, (value: AttributeValue) => boolean>> = {
  string: (value) => typeof value === "string",
  bool: (value) => typeof value === "boolean",
  long: (value) => typeof value === "number",
  strings: (value) => Array.isArray(value),
};

const declarationSchema = z
  .strictObject({
    claim: claimPathSchema.describe("The claim that holds the value."),
    type: z
      .enum(TYPES)
      .describe("`string`, `bool`, `long` (64-bit whole number) or `strings` (set of texts)."),
    default: z
      .union([z.string(), z.boolean(), z.int(), z.array(z.string()).max(LIMITS.defaultItems)])
      .optional()
      .describe(
        "Used where the claim is absent or null. Without it such tokens are refused (401).",
      ),
  })
  .refine(
    (declared) => declared.default === undefined || IS_OF_TYPE[declared.type](declared.default),
    { path: ["default"], error: "a value of the declared type" },
  )
  .readonly();

export const attributeDeclarationsSchema = z
  .record(
    z
      .string()
      .regex(
        /^[A-Za-z_][A-Za-z0-9_]{0,62}$/,
        "an attribute name of letters, digits and '_' that does not begin with a digit",
      ),
    declarationSchema,
  )
  .refine((all) => Object.keys(all).length <= LIMITS.attributes, `at most ${LIMITS.attributes}`)
  .readonly();

export type AttributeDeclarations = z.output<typeof attributeDeclarationsSchema>;
