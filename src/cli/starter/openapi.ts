/**
 * Reads an OpenAPI 3.0 or 3.1 file into a service with one route for each path template.
 *
 * It takes over paths, methods, scopes and the server; what a route cannot express (a parameter
 * within a segment, a reference to another file) is left out and noted, so that it stays
 * unreachable rather than being opened too wide.
 */
import { readOpenApi as readDescription } from "../../gate/operations/read-openapi.ts";
import { METHODS, operationAction } from "../../model/vocabulary.ts";
import { parsePathPattern } from "../../gate/path-pattern.ts";
import { lineIndex } from "../../wire/document/place.ts";
import { parseYaml } from "../../wire/document/yaml.ts";
import { ConfigError } from "../../model/errors.ts";
import { type StarterOperation, type StarterRoute, starterName } from "./plan.ts";

export interface OpenApiService {
  readonly title: string;
  /** Origin of the first server, when it has one. */
  readonly origin: string | undefined;
  readonly routes: readonly StarterRoute[];
  /** Whether the gate takes its operations as actions. */
  readonly actions: boolean;
  readonly notes: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

/** Throws ConfigError where the file is no OpenAPI 3.0 or 3.1 document. */
export function readOpenApi(
  text: string,
  options: { readonly file: string; readonly service: string; readonly taken: Set<string> },
): OpenApiService {
  const root = parseDocument(text, options.file);
  const notes: string[] = [];
  const server = serverOf(root);
  const actions = actionsOf(root, options);
  if (actions.fault !== undefined) notes.push(actions.fault);
  const routes: StarterRoute[] = [];
  const shapes = new Set<string>();
  for (const [template, written] of Object.entries(object(root["paths"]))) {
    const item = resolveItem(written, root);
    const path = routePath(server.base + template);
    const shape = path?.replaceAll(/\{[^/]*\}/g, "{}");
    const operations =
      item === undefined
        ? []
        : operationsOf(item, root).map((operation) => ({
            ...operation,
            action: actions.of(operation.method, server.base + template),
          }));
    if (
      path === undefined ||
      shape === undefined ||
      item === undefined ||
      operations.length === 0
    ) {
      notes.push(`${options.file}: ${template} is left out: ${whyNot(path, item)}`);
      continue;
    }
    if (shapes.has(shape)) {
      notes.push(`${options.file}: ${template} is left out: another path has the same shape`);
      continue;
    }
    shapes.add(shape);
    const name = starterName(`${options.service}${template}`, options.taken);
    options.taken.add(name);
    const methods = operations.map((operation) => operation.method);
    routes.push({ name, path, methods, cutPrefix: false, operations });
  }
  if (routes.length === 0) fail(options.file, "it describes no path that a route can take");
  const title = titleOf(root);
  return { title, origin: server.origin, routes, actions: actions.fault === undefined, notes };
}

interface Actions {
  /** Why the operations are none, for the person who runs `init`. */
  readonly fault?: string;
  of(method: string, path: string): string;
}

/** As the gate itself reads the document: what it refuses is no reason to refuse the routes. */
function actionsOf(
  root: Json,
  { file, service }: { readonly file: string; readonly service: string },
): Actions {
  const { description, faults } = readDescription(root);
  const [first] = faults;
  if (first !== undefined) {
    const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
    const fault = `${file}: its operations are not taken as actions: ${first.message}${more}; mend it, then openapi: of ${service} names it`;
    return { fault, of: (method) => method };
  }
  const ids = new Map(
    description.operations.map(({ id, method, path }) => [`${method} ${path}`, id]),
  );
  return {
    of: (method, path) => {
      const id = ids.get(`${method} ${path}`);
      if (id === undefined) throw new TypeError(`${method} ${path} was read in two ways`);
      return operationAction(service, id);
    },
  };
}

/** The service's name as the file suggests it. */
export function openApiTitle(text: string, file: string): string {
  return titleOf(parseDocument(text, file));
}

function parseDocument(text: string, file: string): Json {
  const { value, problems } = parseYaml(text);
  const at = lineIndex(text);
  if (problems.length > 0) {
    throw new ConfigError(
      problems.map(({ offset, message, remedy }) => ({
        file,
        ...at(offset),
        message,
        ...(remedy === undefined ? {} : { remedy }),
      })),
    );
  }
  const root = object(value);
  const version = root["openapi"];
  if (typeof version !== "string" || !/^3\.[01]\.\d+$/.test(version)) {
    fail(file, "it is not an OpenAPI 3.0 or 3.1 document", "openapi: 3.1.0");
  }
  return root;
}

function fail(file: string, message: string, remedy?: string): never {
  throw new ConfigError([{ file, message, ...(remedy === undefined ? {} : { remedy }) }]);
}

function titleOf(root: Json): string {
  const title = object(root["info"])["title"];
  return typeof title === "string" ? title : "api";
}

/** The first server: its origin, and the path that stands in front of every template. */
function serverOf(root: Json): { readonly origin: string | undefined; readonly base: string } {
  const servers = root["servers"];
  const first = Array.isArray(servers) ? object(servers[0])["url"] : undefined;
  if (typeof first !== "string") return { origin: undefined, base: "" };
  const absolute = URL.canParse(first) ? new URL(first) : undefined;
  const http = absolute?.protocol === "http:" || absolute?.protocol === "https:";
  const path = absolute === undefined ? first : absolute.pathname;
  const base = path.startsWith("/") && !path.includes("{") ? path.replace(/\/+$/, "") : "";
  return { origin: http ? absolute?.origin : undefined, base };
}

/** The template as a route's path, or undefined where a route cannot say it. */
function routePath(template: string): string | undefined {
  const path = template.replaceAll(/(?<=\/)\{([^/{}]+)\}(?=\/|$)/g, (_, name: string) => {
    const word = name.replaceAll(/[^A-Za-z0-9_]/g, "_");
    return `{${/^\d/.test(word) ? `_${word}` : word}}`;
  });
  const parsed = parsePathPattern(path);
  // `*` is an ordinary character in a template.
  return "segments" in parsed && !path.includes("*") && !path.includes(";") ? path : undefined;
}

function resolveItem(written: unknown, root: Json): Json | undefined {
  const item = object(written);
  const reference = item["$ref"];
  if (reference === undefined) return item;
  if (typeof reference !== "string") return undefined;
  const name = /^#\/components\/pathItems\/([^/]+)$/.exec(reference)?.[1];
  const found = object(object(root["components"])["pathItems"])[name ?? ""];
  return found === undefined ? undefined : object(found);
}

function operationsOf(item: Json, root: Json): Omit<StarterOperation, "action">[] {
  return METHODS.flatMap((method) => {
    const written = item[method.toLowerCase()];
    if (typeof written !== "object" || written === null) return [];
    const operation = object(written);
    const label = operation["operationId"] ?? operation["summary"];
    const security = operation["security"] ?? root["security"];
    return [
      {
        method,
        label: typeof label === "string" ? label.split(/[\r\n]/, 1)[0] : undefined,
        scopes: scopesOf(security),
        open: Array.isArray(security) && security.length === 0,
      },
    ];
  });
}

/** Scopes of the first requirement; the others are alternatives to it. */
function scopesOf(security: unknown): string[] {
  if (!Array.isArray(security)) return [];
  const scopes = Object.values(object(security[0])).flatMap((list) =>
    Array.isArray(list) ? list.filter((scope) => typeof scope === "string") : [],
  );
  return [...new Set(scopes)];
}

function whyNot(path: string | undefined, item: Json | undefined): string {
  if (item === undefined) return "it refers to another file";
  if (path === undefined) return "its path is not one that a route can take";
  return "it has no method that the proxy takes";
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Json)
    : {};
}
