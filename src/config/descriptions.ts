/**
 * Reads the descriptions of services that a configuration names. What is wrong in one is said with its own
 * file, line and column.
 */
import { relative, resolve } from "node:path";
import { z } from "zod";
import {
  type ServiceDescription,
  type Validation,
  VALIDATIONS,
} from "../gate/operations/description.ts";
import type { DocumentFault } from "../gate/operations/openapi-document.ts";
import { readOpenApi } from "../gate/operations/read-openapi.ts";
import { ADMIN } from "../model/admin-operations.ts";
import type { Problem } from "../model/errors.ts";
import { readFileBytes } from "../platform/files.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import { type PlaceOf, readDocument } from "../wire/document/read-document.ts";
import { BUNDLE_LIMITS } from "./bundle.ts";
import type { RouteOptions } from "../gate/route-options.ts";
import type { Draft } from "./draft.ts";
import type { ServiceOptions } from "./schema.ts";

/** By service. */
export type Descriptions = Readonly<Record<string, ServiceDescription>>;

export interface ReadDescriptions {
  readonly descriptions: Descriptions;
  /** Bytes that the configuration depends on, by service. */
  readonly files: readonly { readonly name: string; readonly text: string }[];
  /** At the key that names the file. */
  readonly problems: readonly PathProblem[];
  /** In the file itself. */
  readonly placed: readonly Problem[];
}

export function readDescriptions(
  { services, routes }: Pick<Draft, "services" | "routes">,
  folder: string,
): ReadDescriptions {
  const descriptions: Record<string, ServiceDescription> = {};
  const files: { readonly name: string; readonly text: string }[] = [];
  const problems: PathProblem[] = [];
  const placed: Problem[] = [];
  for (const { name, path, options } of services) {
    if (options.openapi === undefined) continue;
    const at = [...path, "openapi"];
    // The ids of its operations would be those of the admin API.
    if (name === ADMIN) {
      const message = `a service called "${ADMIN}" cannot have operations`;
      problems.push({ path: at, message, remedy: "another name" });
      continue;
    }
    const read = readText(resolve(folder, options.openapi));
    if ("fault" in read) {
      const message = `"${options.openapi}" cannot be used: ${read.fault}`;
      problems.push({ path: at, message, remedy: "an OpenAPI document" });
      continue;
    }
    const file = relative(folder, resolve(folder, options.openapi)).replaceAll("\\", "/");
    const asked = routes.filter(({ options: { service } }) => service === name);
    const validation = mostOf(asked.map(({ options: route }) => validationOf(route, options)));
    const found = describe({ name: file, text: read.text }, validation);
    files.push({ name: `description of ${name}`, text: read.text });
    placed.push(...found.problems);
    if (found.description !== undefined) descriptions[name] = found.description;
  }
  return { descriptions, files, problems, placed };
}

/** What of the two counts on a route. */
export function validationOf(
  route: Pick<RouteOptions, "openapiValidation">,
  service: Pick<ServiceOptions, "openapiValidation">,
): Validation {
  return route.openapiValidation ?? service.openapiValidation ?? "none";
}

function mostOf(validations: readonly Validation[]): Validation {
  return VALIDATIONS.findLast((one) => validations.includes(one)) ?? "none";
}

function describe(
  file: { readonly name: string; readonly text: string },
  validation: Validation,
): {
  readonly description?: ServiceDescription;
  readonly problems: readonly Problem[];
} {
  const read = readDocument(file, z.unknown(), {
    whole: "the document",
    begin: "openapi: 3.1.0",
  });
  if (read.problems !== undefined) return { problems: read.problems };
  const { description, faults } = readOpenApi(read.value, validation);
  return { description, problems: faults.map((fault) => placeFault(fault, read.placeOf)) };
}

function placeFault({ path, message, remedy }: DocumentFault, placeOf: PlaceOf): Problem {
  return { ...placeOf(path), message, ...(remedy === undefined ? {} : { remedy }) };
}

function readText(path: string): { readonly text: string } | { readonly fault: string } {
  let bytes: Buffer;
  try {
    bytes = readFileBytes(path);
  } catch (error) {
    return { fault: (error as NodeJS.ErrnoException).code ?? "unreadable" };
  }
  // What is larger could not travel to proxies.
  if (bytes.length > BUNDLE_LIMITS.file) {
    return { fault: `larger than ${BUNDLE_LIMITS.file} bytes` };
  }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { fault: "it is not UTF-8" };
  }
}
