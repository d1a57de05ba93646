/** The words that policies can use, taken from a valid configuration. */
import { pathParams } from "../gate/router.ts";
import type { AttributeType, AttributeValue, PrincipalKind } from "../model/principal.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import type { AuthenticatorOptions, Config } from "./schema.ts";

export function createVocabulary(config: Config): Vocabulary {
  return {
    authenticators: Object.entries(config.authenticators).map(([name, options]) => ({
      name,
      kinds: principalKinds(options),
      attributes: Object.fromEntries(
        Object.entries(options.principal.attributes).map(([attribute, { type }]) => [
          attribute,
          type,
        ]),
      ),
      bareRoles: options.principal.roles?.allow ?? [],
    })),
    services: Object.entries(config.services).map(([name, { attributes }]) => ({
      name,
      attributes,
    })),
    routes: config.routes.map(({ name, service, attributes, path }) => ({
      name,
      service,
      attributes,
      params: pathParams(path).map((param) => param.name),
    })),
  };
}

/** The kinds of principal that an authenticator can vouch for. */
export function principalKinds(options: AuthenticatorOptions): readonly PrincipalKind[] {
  const { kind } = options.principal;
  return typeof kind === "string" ? [kind] : (Object.keys(kind.is) as PrincipalKind[]);
}

export function attributeType(value: AttributeValue): AttributeType {
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  return Array.isArray(value) ? "strings" : "long";
}
