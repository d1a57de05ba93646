/**
 * An OpenAPI 3.0 or 3.1 document as the operations of a service.
 *
 * Refuses, each with its place: other versions, operations without an `operationId` (it is their name in
 * policies and records) or with one that another has, paths that cannot be told apart, parameters that the
 * path does not have, and two parameters of one name where policies would not know which is meant.
 */
import { METHODS } from "../../model/vocabulary.ts";
import { isMapping } from "../../wire/document/written.ts";
import { findConflicts } from "../router.ts";
import {
  DESCRIPTION_LIMITS,
  ID_REMEDY,
  isGroupName,
  isOperationId,
  type ServiceDescription,
  type Validation,
} from "./description.ts";
import { createSchemaCompiler } from "./json-schema.ts";
import { type DocumentFault, OpenApiDocument, type Part } from "./openapi-document.ts";
import { type ReadParameter, readParameters, vocabularyParameters } from "./openapi-parameters.ts";
import { type ReadPath, readTemplate, serverPath } from "./openapi-paths.ts";
import { readRules } from "./openapi-rules.ts";
import type { ReadOperation } from "./read-operation.ts";

type Mapping = Readonly<Record<string, unknown>>;
type Rules = ServiceDescription["rules"];

/** Never throws for what the document holds. `validation`: the most that a route asks for. */
export function readOpenApi(
  value: unknown,
  validation: Validation = "none",
): {
  readonly description: ServiceDescription;
  readonly faults: readonly DocumentFault[];
} {
  const document = new OpenApiDocument(value);
  const operations = isOpenApi(value) ? readOperations(document, value) : [];
  if (!isOpenApi(value)) {
    const message = "it is not an OpenAPI 3.0 or 3.1 document";
    document.report(["openapi"], message, "openapi: 3.1.0");
  } else if (operations.length === 0 && document.faults.length === 0) {
    document.report(["paths"], "it describes no operation, so that every request would be refused");
  }
  checkConflicts(document, operations);
  const words = operations.map((one) => one.words);
  if (validation === "none") return { description: { operations: words }, faults: document.faults };
  const compile = createSchemaCompiler({ trusted: false });
  const reading = { document, compile, bodies: validation === "full" };
  const rules = operations.map((one) => [one.words.id, readRules(one, reading)]);
  const description = { operations: words, rules: Object.fromEntries(rules) as Rules };
  return { description, faults: document.faults };
}

function isOpenApi(value: unknown): value is Mapping {
  const version = isMapping(value) ? value["openapi"] : undefined;
  return typeof version === "string" && /^3\.[01]\.\d+$/.test(version);
}

function readOperations(document: OpenApiDocument, root: Mapping): readonly ReadOperation[] {
  const operations: ReadOperation[] = [];
  const paths = isMapping(root["paths"]) ? root["paths"] : {};
  for (const [template, written] of Object.entries(paths)) {
    if (template.startsWith("x-")) continue;
    const at = ["paths", template];
    const item = document.mapping({ value: written, path: at });
    if (item === undefined) continue;
    for (const method of METHODS) {
      const value = item.value[method.toLowerCase()];
      if (value === undefined) continue;
      const path = [...item.path, method.toLowerCase()];
      if (!isMapping(value)) {
        document.report(path, "here stands no operation");
        continue;
      }
      const found = readOperation(document, { template, at, method, item, part: { value, path } });
      if (found !== undefined) operations.push(found);
    }
  }
  if (operations.length > DESCRIPTION_LIMITS.operations) {
    document.report(["paths"], `more than ${DESCRIPTION_LIMITS.operations} operations`);
  }
  return operations;
}

interface Site {
  readonly template: string;
  readonly at: Part["path"];
  readonly method: string;
  readonly item: Part & { readonly value: Mapping };
  readonly part: Part & { readonly value: Mapping };
}

function readOperation(document: OpenApiDocument, site: Site): ReadOperation | undefined {
  const { template, at, method, item, part } = site;
  const root = document.root as Mapping;
  const base = serverPath(document, [
    { value: part.value["servers"], path: [...part.path, "servers"] },
    { value: item.value["servers"], path: [...item.path, "servers"] },
    { value: root["servers"], path: ["servers"] },
  ]);
  const path = base === undefined ? undefined : readTemplate(document, template, { base, at });
  const id = readId(document, site);
  const groups = readGroups(document, part);
  const parameters = readParameters(document, [
    { value: item.value["parameters"], path: [...item.path, "parameters"] },
    { value: part.value["parameters"], path: [...part.path, "parameters"] },
  ]);
  if (path === undefined || id === undefined) return undefined;
  checkNames(document, parameters, path);
  const declared = vocabularyParameters([...parameters, ...undeclared(path, parameters)], (name) =>
    path.segments.get(name),
  );
  return { words: { id, method, path: path.path, groups, parameters: declared }, parameters, part };
}

function readId(document: OpenApiDocument, { method, template, part }: Site): string | undefined {
  const id = part.value["operationId"];
  if (id === undefined) {
    const message = `${method} ${template} has no operationId, its name in policies and records`;
    document.report(part.path, message, `operationId: ${proposedId(method, template)}`);
    return undefined;
  }
  if (typeof id === "string" && isOperationId(id)) return id;
  document.report([...part.path, "operationId"], "this operationId cannot be a name", ID_REMEDY);
  return undefined;
}

/** `GET /invoices/{id}/lines` → `getInvoicesByIdLines` */
function proposedId(method: string, template: string): string {
  const words = template
    .replaceAll(/\{([^{}]*)\}/g, "by-$1")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "");
  return [
    method.toLowerCase(),
    ...words.map((word) => word[0]?.toUpperCase() + word.slice(1)),
  ].join("");
}

const GROUP = "x-sallyport-group";

/** Tags, and what `x-sallyport-group` names: one text or a list of them. */
function readGroups(document: OpenApiDocument, { value, path }: Site["part"]): readonly string[] {
  const groups = new Set<string>();
  for (const key of ["tags", GROUP]) {
    const written = value[key];
    if (written === undefined) continue;
    const names: readonly unknown[] = Array.isArray(written) ? written : [written];
    for (const name of names) {
      if (typeof name === "string" && isGroupName(name)) groups.add(name);
      else document.report([...path, key], "this cannot be the name of a group", ID_REMEDY);
    }
  }
  if (groups.size > DESCRIPTION_LIMITS.groups) {
    document.report([...path, "tags"], `more than ${DESCRIPTION_LIMITS.groups} tags and groups`);
  }
  return [...groups];
}

function checkNames(
  document: OpenApiDocument,
  parameters: readonly ReadParameter[],
  { path, segments }: ReadPath,
): void {
  const read = new Map<string, ReadParameter>();
  for (const parameter of parameters) {
    const { name, in: place } = parameter;
    if (place === "path" && !segments.has(name)) {
      const remedy = `a segment {${name}}, or no such parameter`;
      document.report(parameter.path, `the path ${path} has no {${name}}`, remedy);
    }
    if (place !== "path" && place !== "query") continue;
    if (read.has(name)) {
      const message = `"${name}" is a parameter of the path and of the query: policies know one of a name`;
      document.report(parameter.path, message, "two names");
    }
    read.set(name, parameter);
  }
}

/** Segments that no parameter describes: texts, as they are sent. */
function undeclared(
  { segments }: ReadPath,
  parameters: readonly ReadParameter[],
): readonly ReadParameter[] {
  const declared = new Set(
    parameters.filter(({ in: place }) => place === "path").map(({ name }) => name),
  );
  return [...segments.keys()]
    .filter((name) => !declared.has(name) && name !== "__proto__")
    .map((name) => ({
      name,
      in: "path",
      required: true,
      schema: undefined,
      json: false,
      type: "string",
      delimiter: undefined,
      path: [],
    }));
}

/** Two operations of one name, or of one shape of path and one method. */
function checkConflicts(document: OpenApiDocument, operations: readonly ReadOperation[]): void {
  const first = new Map<string, ReadOperation>();
  for (const operation of operations) {
    const { id } = operation.words;
    const other = first.get(id);
    if (other === undefined) first.set(id, operation);
    else {
      const message = `${other.words.method} ${other.words.path} has the operationId "${id}" too`;
      document.report([...operation.part.path, "operationId"], message, "a name of its own");
    }
  }
  const patterns = operations.map(({ words: { id, path, method } }) => ({
    name: id,
    host: undefined,
    path,
    methods: [method],
  }));
  for (const { first: one, second } of findConflicts(patterns)) {
    const [earlier, later] = [operations[one], operations[second]];
    if (earlier === undefined || later === undefined) continue;
    const { method, path } = earlier.words;
    const message = `${method} ${path} takes the same requests`;
    document.report(later.part.path, message, "one of the two, or paths that differ");
  }
}
