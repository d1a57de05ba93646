/**
 * Options of principals whose credential carries no claims, only a name: a certificate, a SPIFFE ID. What
 * policies are to know beside the name stands in the configuration, under patterns of names.
 */
import { z } from "zod";
import type { AttributeType, AttributeValue } from "../../model/principal.ts";
import type { VocabularyAuthenticator } from "../../model/vocabulary.ts";
import {
  attributeNameSchema,
  attributeTypeSchema,
  bareRoleSchema,
  declarationsOf,
  fitsItsType,
  isOfType,
  UNFIT_DEFAULT,
} from "./attribute-declarations.ts";

const LIMITS = {
  /** Patterns of one authenticator: each is tried once for a connection or a token. */
  rules: 256,
  /** Roles or groups of one pattern. */
  names: 64,
  /** Texts in a value of type `strings`. */
  items: 256,
} as const;

const valueSchema = z.union(
  [z.string().max(4096), z.boolean(), z.int(), z.array(z.string().max(4096)).max(LIMITS.items)],
  "a text, true or false, a whole number, or a list of texts",
);

const declarationSchema = z
  .strictObject({
    type: attributeTypeSchema,
    default: valueSchema
      .optional()
      .describe(
        "Its value where no pattern that fits gives one. Without it such callers are refused (401).",
      ),
  })
  .refine(fitsItsType, UNFIT_DEFAULT)
  .readonly();

/** `principal:`, without what names the caller. */
export const staticPrincipalShape = {
  kind: z
    .enum(["user", "workload", "device"])
    .default("workload")
    .describe("What its callers are; workload when left out."),
  attributes: declarationsOf(declarationSchema)
    .prefault({})
    .describe("Typed attributes of the principal in policies, by name; always present there."),
};

/** What a pattern gives to those whom it fits. */
export const grantShape = {
  roles: z
    .array(bareRoleSchema)
    .max(LIMITS.names)
    .readonly()
    .default([])
    .describe('Become `Sallyport::Role::"<role>"`. Those of all patterns that fit count.'),
  groups: z
    .array(z.string().min(1).max(256))
    .max(LIMITS.names)
    .readonly()
    .default([])
    .describe(
      'Become `Sallyport::Group::"<authenticator>/<group>"`. Those of all patterns that fit count.',
    ),
  attributes: z
    .record(attributeNameSchema, valueSchema)
    .readonly()
    .prefault({})
    .describe(
      "Values of declared attributes. Of the patterns that fit, the first that gives one counts.",
    ),
};

/** A list of patterns with what they give. */
export function rulesOf<T extends z.ZodType>(rule: T) {
  return z
    .array(rule)
    .min(1, "at least one pattern")
    .max(LIMITS.rules, `at most ${LIMITS.rules}`)
    .readonly();
}

export interface StaticPrincipalOptions {
  readonly kind: "user" | "workload" | "device";
  readonly attributes: Readonly<
    Record<
      string,
      { readonly type: AttributeType; readonly default?: z.output<typeof valueSchema> | undefined }
    >
  >;
}

export interface Grant {
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, z.output<typeof valueSchema>>>;
}

/** `{name}` alone: what the pattern caught under this name. */
const CAUGHT = /^\{([A-Za-z_][A-Za-z0-9_]{0,62})\}$/;

/** The name in `{name}`, or undefined where the value stands for itself. */
export function caughtName(value: AttributeValue): string | undefined {
  return typeof value === "string" ? CAUGHT.exec(value)?.[1] : undefined;
}

/** What is wrong with what a pattern gives: where, and what would be right. */
export function grantProblems(
  { attributes }: Grant,
  declared: StaticPrincipalOptions["attributes"],
  caught: readonly string[],
): readonly { readonly name: string; readonly message: string }[] {
  return Object.entries(attributes).flatMap(([name, value]) => {
    const declaration = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (declaration === undefined) {
      return [{ name, message: `"${name}" is not declared in principal.attributes` }];
    }
    const from = caughtName(value);
    if (from !== undefined && !caught.includes(from)) {
      return [{ name, message: `the pattern has no {${from}}` }];
    }
    if (isOfType(value, declaration.type)) return [];
    return [{ name, message: `a value of the declared type ${declaration.type}` }];
  });
}

/** What principals of these options can be, for the schema of policies. */
export function staticWords(
  { kind, attributes }: StaticPrincipalOptions,
  grants: readonly Grant[],
): Omit<VocabularyAuthenticator, "name"> {
  return {
    kinds: [kind],
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, { type }]) => [name, type]),
    ),
    bareRoles: [...new Set(grants.flatMap(({ roles }) => roles))],
  };
}
