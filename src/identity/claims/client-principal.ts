/**
 * Principals of the clients of our token endpoint, who have no identity but the one that is declared or
 * registered: `Workload::"<authenticator of type sallyport>/<client id>"`. What policies may know of
 * them is declared with that authenticator, so that every proxy knows it; the values stand with each
 * client.
 *
 * Refuses a client for which a declared attribute has no value, or which has one that is not declared.
 */
import { z } from "zod";
import type { ClientProfile } from "../../model/clients.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Principal } from "../../model/principal.ts";
import type { VocabularyAuthenticator } from "../../model/vocabulary.ts";
import {
  attributeTypeSchema,
  attributeValueSchema,
  bareRoleSchema,
  declarationsOf,
  fitsItsType,
  UNFIT_DEFAULT,
} from "./attribute-declarations.ts";
import { createClaimMapper, isClaimFault } from "./claims.ts";
import type { PrincipalOptions } from "./principal-options.ts";

const LIMITS = {
  roles: 256,
} as const;

const declarationSchema = z
  .strictObject({
    type: attributeTypeSchema,
    default: attributeValueSchema
      .optional()
      .describe("Of clients that have none. Without it a client has to have one."),
  })
  .refine(fitsItsType, UNFIT_DEFAULT)
  .readonly();

/** `principal:` of an authenticator of type `sallyport`. */
export const clientPrincipalSchema = z
  .strictObject({
    roles: z
      .strictObject({
        allow: z
          .array(bareRoleSchema)
          .max(LIMITS.roles)
          .default([])
          .describe(
            'Roles of registered clients that become `Sallyport::Role::"<role>"`, beside those that `authority.clients` gives. All others become `Role::"<authenticator>/<role>"`.',
          ),
      })
      .readonly()
      .prefault({})
      .describe("How the roles of a registered client become roles in policies."),
    attributes: declarationsOf(declarationSchema)
      .prefault({})
      .describe(
        "Typed attributes of clients in policies, by name; their values stand with each client.",
      ),
  })
  .readonly();

export type ClientPrincipalOptions = z.output<typeof clientPrincipalSchema>;

/** Who a client is, or for the operator why it is nobody. */
export type ClientPrincipals = (client: ClientProfile) => Principal | { readonly detail: string };

/** `authenticator`: the name of the one of type `sallyport`. */
export function createClientPrincipals(
  authenticator: string,
  options: ClientPrincipalOptions,
): ClientPrincipals {
  const mapper = createClaimMapper(authenticator, claimsOf(options));
  return ({ id, roles, groups, attributes }) => {
    const other = Object.keys(attributes).find((name) => !Object.hasOwn(options.attributes, name));
    if (other !== undefined) {
      return {
        detail: `attribute ${other} is not declared by the authenticator "${authenticator}"`,
      };
    }
    const claims: JsonObject = { id, roles, groups, attributes };
    const principal = mapper.principal(claims);
    return isClaimFault(principal)
      ? { detail: principal.detail.replace(/^claim /, "") }
      : principal;
  };
}

/** What policies can say of clients. */
export function clientWords({
  roles,
  attributes,
}: ClientPrincipalOptions): Omit<VocabularyAuthenticator, "name"> {
  return {
    kinds: ["workload"],
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, { type }]) => [name, type]),
    ),
    bareRoles: roles.allow,
  };
}

/** The claims that stand for what is said of a client, so that it becomes a principal as tokens do. */
function claimsOf({ roles, attributes }: ClientPrincipalOptions): PrincipalOptions {
  return {
    kind: "workload",
    subject: ["id"],
    roles: { claim: ["roles"], allow: roles.allow },
    groups: { claim: ["groups"] },
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, declared]) => [
        name,
        { ...declared, claim: ["attributes", name] },
      ]),
    ),
    device: undefined,
  };
}
