/** Options that say how the claims of a token become the principal that policies see. */
import { z } from "zod";
import type { AttributeType, PrincipalKind } from "../../model/principal.ts";
import type { VocabularyAuthenticator } from "../../model/vocabulary.ts";
import {
  type AttributeDeclarations,
  attributeDeclarationsSchema,
  claimPathSchema,
} from "./claim-options.ts";
import { bareRoleSchema } from "./attribute-declarations.ts";

const LIMITS = {
  /** Roles that may be asserted without a prefix. */
  allowedRoles: 256,
  /** Claim values that lead to one kind. */
  kindValues: 64,
} as const;

const KINDS = ["user", "workload", "device"] as const;

const kindValueSchema = z.union([z.string().min(1).max(256), z.boolean(), z.int()]);

const kindSchema = z.union([
  z.enum(KINDS),
  z
    .strictObject({
      claim: claimPathSchema.describe("The claim that tells; a text, a boolean or a whole number."),
      is: z
        .partialRecord(
          z.enum(KINDS),
          z.union([kindValueSchema, z.array(kindValueSchema).min(1).max(LIMITS.kindValues)]),
        )
        .superRefine((kinds, context) => {
          const values = Object.values(kinds).flat().map(String);
          if (values.length === 0) context.addIssue("at least one kind");
          if (new Set(values).size < values.length) {
            context.addIssue("each value once; a value that leads to two kinds decides nothing");
          }
        })
        .describe(
          "For each kind the value, or list of values, of the claim. Any other value: 401.",
        ),
    })
    .readonly(),
]);

const rolesSchema = z
  .strictObject({
    claim: claimPathSchema.describe("The claim that holds them: one text, or a list of texts."),
    allow: z
      .array(bareRoleSchema)
      .max(LIMITS.allowedRoles)
      .default([])
      .describe(
        'Roles that become `Sallyport::Role::"<role>"`. All others become `Role::"<authenticator>/<role>"`.',
      ),
  })
  .readonly();

export const principalSchema = z
  .strictObject({
    kind: kindSchema.describe("What its callers are: user, workload, device, or told by a claim."),
    subject: claimPathSchema
      .default("sub")
      .describe("The claim that names the caller; unique and never given to another."),
    roles: rolesSchema.optional().describe("Without it, its principals have no roles."),
    groups: z
      .strictObject({
        claim: claimPathSchema.describe("The claim that holds them: one text, or a list of texts."),
      })
      .readonly()
      .optional()
      .describe('Become `Sallyport::Group::"<authenticator>/<group>"`.'),
    attributes: attributeDeclarationsSchema
      .prefault({})
      .describe("Typed attributes of the principal in policies, by name; always present there."),
    device: z
      .strictObject({
        claim: claimPathSchema.describe("The claim that names the device; absent: no device."),
        attributes: attributeDeclarationsSchema
          .prefault({})
          .describe("Typed attributes of the device in policies, by name."),
      })
      .readonly()
      .optional()
      .describe("The device that a token names beside its principal: `context.device`."),
  })
  .readonly();

export type PrincipalOptions = z.output<typeof principalSchema>;

/** What principals of these options can be, for the schema of policies. */
export function claimWords(principal: PrincipalOptions): Omit<VocabularyAuthenticator, "name"> {
  const { kind, attributes, roles, device } = principal;
  return {
    kinds: typeof kind === "string" ? [kind] : (Object.keys(kind.is) as PrincipalKind[]),
    attributes: typesOf(attributes),
    bareRoles: roles?.allow ?? [],
    ...(device === undefined ? {} : { device: typesOf(device.attributes) }),
  };
}

function typesOf(declarations: AttributeDeclarations): Readonly<Record<string, AttributeType>> {
  return Object.fromEntries(Object.entries(declarations).map(([name, { type }]) => [name, type]));
}
