/**
 * What policies may speak of beside the parts that a proxy gets. Policies travel whole: one about a
 * service that this proxy does not serve has to validate there as it does at the authority, and one
 * that compares with an attribute of that service has to find it.
 *
 * Attributes and roles stay as they are written, so that an expression in them is one of the place
 * where it is read; kinds and types are words of ours.
 */
import { z } from "zod";
import { authenticatorWords } from "../identity/authenticator-options.ts";
import { attributesSchema } from "../model/options.ts";
import { inspectSchema } from "../gate/inspect-options.ts";
import { METHODS } from "../model/vocabulary.ts";
import type { ServiceDescription } from "../gate/operations/description.ts";
import { pathParams } from "../gate/router.ts";
import type { PolicyFile } from "../policy/policy-source.ts";
import type { BundleContent } from "./bundle.ts";
import { check, type PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";
import { publishedClientRoles } from "./client-words.ts";
import type { Descriptions } from "./descriptions.ts";
import type { Config } from "./schema.ts";
import { isMapping, mappingAt, valueAt } from "../wire/document/written.ts";
import { NO_WORDS, type Words } from "./vocabulary.ts";

const authenticatorSchema = z
  .strictObject({
    kinds: z.array(z.enum(["user", "workload", "device"])).readonly(),
    /** Name → type. */
    attributes: z.record(z.string(), z.enum(["string", "bool", "long", "strings"])).readonly(),
    bareRoles: z.array(z.string()).readonly(),
    issued: z.literal(true).optional(),
    device: z
      .record(z.string(), z.enum(["string", "bool", "long", "strings"]))
      .readonly()
      .optional(),
  })
  .readonly();

const operationSchema = z
  .strictObject({
    id: z.string(),
    method: z.enum(METHODS as [string, ...string[]]),
    path: z.string(),
    groups: z.array(z.string()).readonly(),
    parameters: z
      .array(
        z
          .strictObject({
            name: z.string(),
            type: z.enum(["string", "bool", "long", "strings"]),
            required: z.boolean(),
            segment: z.int().optional(),
            delimiter: z.string().optional(),
          })
          .readonly(),
      )
      .readonly(),
  })
  .readonly();

const serviceSchema = z
  .strictObject({
    attributes: attributesSchema.prefault({}),
    operations: z.array(operationSchema).readonly().optional(),
  })
  .readonly();

const adminSchema = z.strictObject({ attributes: attributesSchema.prefault({}) }).readonly();

const routeSchema = z
  .strictObject({
    name: z.string(),
    service: z.string().optional(),
    path: z.string(),
    attributes: attributesSchema.prefault({}),
    inspect: inspectSchema.optional(),
  })
  .readonly();

const wordsSchema = z
  .strictObject({
    authenticators: z.record(z.string(), authenticatorSchema).readonly(),
    services: z.record(z.string(), serviceSchema).readonly(),
    routes: z.array(routeSchema).readonly(),
    admin: adminSchema.optional(),
  })
  .readonly();

type BundleWords = BundleContent["words"];

/** What policies speak of. */
export interface Spoken {
  /** The valid document before anything was expanded in it. */
  readonly written: unknown;
  readonly config: Config;
  readonly policyFiles: readonly PolicyFile[];
  readonly descriptions: Descriptions;
}

/** What of a configuration is in a bundle by itself: names, and indexes of routes. */
export interface Chosen {
  readonly services: ReadonlySet<string>;
  readonly routes: ReadonlySet<number>;
  readonly authenticators: ReadonlySet<string>;
}

/**
 * Of all that is not. Of routes, of which there may be thousands, those that a policy names, and one of
 * each kind that the schema tells apart.
 */
export function wordsBeside(
  { written, config, policyFiles, descriptions }: Spoken,
  chosen: Chosen,
): BundleWords {
  const given = publishedClientRoles(mappingAt(written, ["authenticators"]), config);
  // A key stands for principals of any of them, also of those that this proxy does not need.
  const all = Object.values(config.authenticators).some(({ type }) => type === "sallyport");
  const authenticators = Object.entries(config.authenticators)
    .filter(([name]) => all || !chosen.authenticators.has(name))
    .map(([name, options]) => [
      name,
      { ...authenticatorWords(options), bareRoles: writtenRoles(given[name]) },
    ]);
  const services = Object.entries(mappingAt(written, ["services"]))
    .filter(([name]) => !chosen.services.has(name))
    .map(([name, service]) => [
      name,
      { ...only(service, ["attributes"]), ...operationWords(descriptions[name]) },
    ]);
  const routes = valueAt(written, ["routes"]);
  const spoken = routesToSpeakOf(config, policyFiles, chosen);
  return {
    authenticators: Object.fromEntries(authenticators) as Record<string, unknown>,
    services: Object.fromEntries(services) as Record<string, unknown>,
    routes: (Array.isArray(routes) ? routes : [])
      .filter((_, index) => !chosen.routes.has(index) && spoken(index))
      .map((route) => only(route, ["name", "service", "path", "attributes", "inspect"])),
    ...(config.admin?.authenticate === undefined
      ? {}
      : { admin: only(valueAt(written, ["admin"]), ["attributes"]) }),
  };
}

/** Where authenticators name bare roles: in one list, or in each of their patterns. */
function writtenRoles(options: unknown): readonly unknown[] {
  const matches = valueAt(options, ["match"]);
  const lists = [
    valueAt(options, ["principal", "roles", "allow"]),
    ...(Array.isArray(matches) ? matches : []).map((one) => valueAt(one, ["roles"])),
  ];
  const roles = lists.flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []));
  return [...new Set(roles)];
}

/** What is a name there must not be taken for an expression. */
function operationWords(description: ServiceDescription | undefined): Record<string, unknown> {
  if (description === undefined) return {};
  const text = JSON.stringify(description.operations).replaceAll("${", "$${");
  return { operations: JSON.parse(text) as unknown };
}

/** Says of a route by its index whether policies have to know it. */
function routesToSpeakOf(
  { routes }: Config,
  policyFiles: readonly PolicyFile[],
  { routes: chosen }: Chosen,
): (index: number) => boolean {
  const named = quotedNames(policyFiles);
  const kinds = new Set<string>();
  const kept = new Set<number>();
  for (const [index, { name, service, path, attributes, inspect }] of routes.entries()) {
    if (chosen.has(index)) continue;
    // An attribute is required where all routes have it; a parameter, and what stands in bodies, is
    // known where one has it.
    const params = pathParams(path).map((param) => param.name);
    const names = Object.keys(attributes).toSorted();
    const kind = JSON.stringify([service, names, params.toSorted(), inspect]);
    if (kinds.has(kind) && named?.has(name) === false) continue;
    kinds.add(kind);
    kept.add(index);
  }
  return (index) => kept.has(index);
}

/**
 * Everything between quotation marks that could be a name, wherever it stands; undefined where an
 * escape could hide one.
 */
function quotedNames(policyFiles: readonly PolicyFile[]): ReadonlySet<string> | undefined {
  if (policyFiles.some(({ text }) => text.includes("\\"))) return undefined;
  return new Set(
    policyFiles.flatMap(({ text }) => text.match(/(?<=")[a-z][a-z0-9-]{0,62}(?=")/g) ?? []),
  );
}

/** Of words in which expressions were expanded. */
export function readWords(
  value: unknown,
  { base, written }: { readonly base: Path; readonly written: ReadonlyMap<string, string> },
): { readonly words: Words; readonly problems: readonly PathProblem[] } {
  const found = check(wordsSchema, { base, value, written });
  return "output" in found
    ? { words: found.output, problems: [] }
    : { words: NO_WORDS, problems: found.problems };
}

function only(part: unknown, keys: readonly string[]): Record<string, unknown> {
  if (!isMapping(part)) return {};
  return Object.fromEntries(Object.entries(part).filter(([key]) => keys.includes(key)));
}
