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
import { readDescriptors } from "../gate/operations/read-descriptors.ts";
import { readOpenApi } from "../gate/operations/read-openapi.ts";
import { ADMIN } from "../model/admin-operations.ts";
import type { Problem } from "../model/errors.ts";
import { readFileBytes } from "../platform/files.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import { type PlaceOf, readDocument } from "../wire/document/read-document.ts";
import { BUNDLE_LIMITS } from "./bundle.ts";
import type { RouteOptions } from "../gate/route-options.ts";
import type { Draft, Part } from "./draft.ts";
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
  draft: Pick<Draft, "services" | "routes">,
  folder: string,
): ReadDescriptions {
  const descriptions: Record<string, ServiceDescription> = {};
  const files: { readonly name: string; readonly text: string }[] = [];
  const problems: PathProblem[] = [];
  const placed: Problem[] = [];
  for (const service of draft.services) {
    const { name, options, path } = service;
    const key = (["openapi", "descriptors"] as const).find((one) => options[one] !== undefined);
    const file = key === undefined ? undefined : options[key];
    if (key === undefined || file === undefined) continue;
    // The ids of its operations would be those of the admin API.
    const admin = name === ADMIN ? `a service called "${ADMIN}" cannot have operations` : undefined;
    const read = readBytes(resolve(folder, file));
    const found: Found | { readonly fault: string } =
      "fault" in read
        ? read
        : key === "openapi"
          ? readDocumentOf(draft, service, { file: relativeTo(folder, file), bytes: read.bytes })
          : readDescriptors(read.bytes);
    if (admin !== undefined || "fault" in found) {
      const fault = "fault" in found ? `"${file}" cannot be used: ${found.fault}` : "";
      const remedy = admin === undefined ? REMEDIES[key] : "another name";
      problems.push({ path: [...path, key], message: admin ?? fault, remedy });
      continue;
    }
    if (!("fault" in read)) {
      files.push({
        name: `description of ${name}`,
        text: Buffer.from(read.bytes).toString("latin1"),
      });
    }
    placed.push(...(found.problems ?? []));
    if (found.description !== undefined) descriptions[name] = found.description;
  }
  return { descriptions, files, problems, placed };
}

const REMEDIES = {
  openapi: "an OpenAPI document",
  descriptors: "what protoc --include_imports --descriptor_set_out=FILE writes",
} as const;

interface Found {
  readonly description?: ServiceDescription;
  readonly problems?: readonly Problem[];
}

function relativeTo(folder: string, file: string): string {
  return relative(folder, resolve(folder, file)).replaceAll("\\", "/");
}

function readDocumentOf(
  { routes }: Pick<Draft, "routes">,
  { name, options }: Part<ServiceOptions>,
  { file, bytes }: { readonly file: string; readonly bytes: Uint8Array },
): Found | { readonly fault: string } {
  const asked = routes.filter(({ options: route }) => route.service === name);
  const validation = mostOf(asked.map(({ options: route }) => validationOf(route, options)));
  const text = utf8(bytes);
  return text === undefined
    ? { fault: "it is not UTF-8" }
    : describe({ name: file, text }, validation);
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
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

function readBytes(path: string): { readonly bytes: Buffer } | { readonly fault: string } {
  try {
    const bytes = readFileBytes(path);
    // What is larger could not travel to proxies.
    return bytes.length > BUNDLE_LIMITS.file
      ? { fault: `larger than ${BUNDLE_LIMITS.file} bytes` }
      : { bytes };
  } catch (error) {
    return { fault: (error as NodeJS.ErrnoException).code ?? "unreadable" };
  }
}
