/** The words that policies can use, taken from a valid configuration and from what is beside it. */
import { type InspectOptions, inspectWords } from "../gate/inspect-options.ts";
import { pathParams } from "../gate/router.ts";
import { authenticatorWords } from "../identity/authenticator-options.ts";
import type { AttributeType, AttributeValue } from "../model/principal.ts";
import type {
  Vocabulary,
  VocabularyAuthenticator,
  VocabularyRoute,
  VocabularyService,
} from "../model/vocabulary.ts";
import type { Descriptions } from "./descriptions.ts";
import type { Config } from "./schema.ts";

/** What policies may speak of though it is no part of the configuration (words.ts). */
export interface Words {
  readonly authenticators: Readonly<Record<string, Omit<VocabularyAuthenticator, "name">>>;
  readonly services: Readonly<Record<string, Omit<VocabularyService, "name">>>;
  readonly routes: readonly SpokenRoute[];
  readonly admin?: Pick<VocabularyService, "attributes"> | undefined;
}

type SpokenRoute = Pick<VocabularyRoute, "name" | "attributes"> & {
  readonly service?: string | undefined;
  readonly path: string;
  readonly inspect?: InspectOptions | undefined;
};

export const NO_WORDS: Words = { authenticators: {}, services: {}, routes: [] };

/** Of parts that say more, what policies may speak of. */
export function onlyWords({ authenticators, services, routes }: Words): Words {
  const ofServices = Object.entries(services).map(([name, { attributes, operations }]) => [
    name,
    { attributes, operations },
  ]);
  return {
    authenticators,
    services: Object.fromEntries(ofServices) as Words["services"],
    routes: routes.map(({ name, service, path, attributes, inspect }) => ({
      name,
      service,
      path,
      attributes,
      inspect,
    })),
  };
}

/** Services with what their descriptions say. */
export function withOperations<T extends object>(
  services: Readonly<Record<string, T>>,
  descriptions: Descriptions,
): Readonly<Record<string, T & Pick<VocabularyService, "operations">>> {
  const described = Object.entries(services).map(([name, service]) => [
    name,
    { ...service, operations: descriptions[name]?.operations },
  ]);
  return Object.fromEntries(described) as ReturnType<typeof withOperations<T>>;
}

export function createVocabulary(
  config: Config,
  descriptions: Descriptions,
  beside: Words = NO_WORDS,
): Vocabulary {
  const authenticators = Object.entries(config.authenticators).map(
    ([name, options]): VocabularyAuthenticator => ({ name, ...authenticatorWords(options) }),
  );
  const services = Object.entries(withOperations(config.services, descriptions)).map(
    ([name, service]) => word(name, service),
  );
  return {
    authenticators: [
      ...authenticators,
      ...Object.entries(beside.authenticators)
        .filter(([name]) => !Object.hasOwn(config.authenticators, name))
        .map(([name, words]) => ({ name, ...words })),
    ],
    services: [
      ...services,
      ...Object.entries(beside.services).map(([name, words]) => word(name, words)),
    ],
    routes: [...config.routes.map(routeWords), ...beside.routes.map(routeWords)],
    ...adminWords(config, beside),
  };
}

/** What this process's own admin API has, and what the authority's has: policies speak of both. */
function adminWords({ admin: own }: Config, { admin }: Words): Pick<Vocabulary, "admin"> {
  if (own?.authenticate === undefined && admin === undefined) return {};
  return { admin: { attributes: { ...admin?.attributes, ...own?.attributes } } };
}

function word(
  name: string,
  { attributes, operations }: Omit<VocabularyService, "name">,
): VocabularyService {
  return { name, attributes, ...(operations && { operations }) };
}

function routeWords({ name, service, attributes, path, inspect }: SpokenRoute): VocabularyRoute {
  const params = pathParams(path).map((param) => param.name);
  const words = { name, service, attributes, params };
  return inspect === undefined ? words : { ...words, inspect: inspectWords(inspect) };
}

export function attributeType(value: AttributeValue): AttributeType {
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  return Array.isArray(value) ? "strings" : "long";
}
