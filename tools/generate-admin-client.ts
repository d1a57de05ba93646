/**
 * Writes the typed client of the admin API (`src/cli/admin-client.ts`) from its OpenAPI document: one
 * interface a schema, one method an operation. `npm run docs` runs it, and `npm run ok` fails where
 * the file is not what the document says.
 *
 * It reads what our own documents hold, and throws TypeError for what it does not know: a type that
 * was guessed would be a client that lies.
 */
import type { JsonObject } from "../src/model/json.ts";

interface SchemaObject {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | number | boolean)[];
  readonly anyOf?: readonly SchemaObject[];
  readonly oneOf?: readonly SchemaObject[];
  readonly properties?: Readonly<Record<string, SchemaObject>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | SchemaObject;
  readonly items?: SchemaObject;
  readonly description?: string;
}

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: SchemaObject;
  readonly description?: string;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: SchemaObject }>>;
}

interface OperationObject {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content & { readonly required?: boolean };
  readonly responses: Readonly<Record<string, Content>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, SchemaObject>> };
}

interface Place {
  readonly method: string;
  readonly path: string;
  readonly operation: OperationObject;
}

export function adminClient(openApi: JsonObject): string {
  const document = openApi as unknown as Document;
  const places = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): Place => ({ method, path, operation })),
  );
  return [
    HEADER,
    ...Object.entries(document.components.schemas).map(([name, schema]) => namedType(name, schema)),
    `export interface AdminClient {\n${places.map(methodType).join("\n")}\n}\n`,
    "/** Every method rejects with AdminCallError: a problem that was answered, or no answer at all. */",
    "export function createAdminClient(transport: AdminTransport): AdminClient {",
    "  return {",
    ...places.map(methodCode),
    "  };",
    "}",
    "",
  ].join("\n");
}

const HEADER = [
  "/**",
  " * The typed client of the admin API. Written by `npm run docs` from docs/openapi.json: change the",
  " * operations in src/admin/ and not this file.",
  " */",
  'import type { AdminAnswer, AdminTransport } from "./admin-transport.ts";',
  "",
].join("\n");

function namedType(name: string, schema: SchemaObject): string {
  const comment = schema.description === undefined ? "" : `/** ${schema.description} */\n`;
  if (schema.type !== "object" || schema.properties === undefined) {
    return `${comment}export type ${name} = ${typeOf(schema)};\n`;
  }
  return `${comment}export interface ${name} ${typeOf(schema)}\n`;
}

function typeOf(schema: SchemaObject): string {
  if (schema.$ref !== undefined) return schema.$ref.replace("#/components/schemas/", "");
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts !== undefined) return parts.map(typeOf).join(" | ");
  if (schema.enum !== undefined)
    return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === undefined) return "unknown";
  const types = typeof schema.type === "string" ? [schema.type] : schema.type;
  return types.map((type) => plainType(type, schema)).join(" | ");
}

function plainType(type: string, schema: SchemaObject): string {
  switch (type) {
    case "string":
    case "boolean":
    case "null":
      return type;
    case "integer":
    case "number":
      return "number";
    case "array":
      return `readonly (${typeOf(schema.items ?? {})})[]`;
    case "object":
      return objectType(schema);
    default:
      throw new TypeError(`a schema of type ${type}`);
  }
}

function objectType({ properties, required = [], additionalProperties }: SchemaObject): string {
  if (properties === undefined) {
    const values =
      typeof additionalProperties === "object" ? typeOf(additionalProperties) : "unknown";
    return `Readonly<Record<string, ${values}>>`;
  }
  const members = Object.entries(properties).map(([name, schema]) =>
    member({ name, schema, required: required.includes(name), description: schema.description }),
  );
  return `{\n${members.join("\n")}\n}`;
}

function member(one: {
  readonly name: string;
  readonly schema: SchemaObject;
  readonly required: boolean;
  readonly description: string | undefined;
}): string {
  const comment = one.description === undefined ? "" : `/** ${one.description} */\n`;
  const optional = one.required ? ["", ""] : ["?", " | undefined"];
  return `${comment}readonly ${one.name}${optional[0] ?? ""}: ${typeOf(one.schema)}${optional[1] ?? ""};`;
}

/** Parameters by their names, in the spelling of JavaScript, and the body. */
function inputType({ operation }: Place): { readonly type: string; readonly required: boolean } {
  const { parameters = [], requestBody } = operation;
  const members = parameters.map(({ name, schema, required, description }) =>
    member({ name: camel(name), schema, required, description }),
  );
  const body = requestBody?.content?.["application/json"]?.schema;
  if (body !== undefined) {
    const required = requestBody?.required === true;
    members.push(member({ name: "body", schema: body, required, description: undefined }));
  }
  const needed = parameters.some(({ required }) => required) || requestBody?.required === true;
  return { type: `{\n${members.join("\n")}\n}`, required: needed };
}

function camel(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

function answerType({ responses }: OperationObject): string {
  const good = Object.entries(responses).filter(([status]) => status.startsWith("2"));
  const [first] = good;
  if (first === undefined || good.length > 1) throw new TypeError("one good answer each");
  const schema = first[1].content?.["application/json"]?.schema;
  return schema === undefined ? "undefined" : typeOf(schema);
}

function methodType(place: Place): string {
  const { operation } = place;
  const { summary, description } = operation;
  const text = description === undefined ? `${summary}.` : `${summary}. ${description}`;
  const input = inputType(place);
  const empty = !input.type.includes("readonly");
  const parameter = empty ? "" : `input${input.required ? "" : "?"}: ${input.type}`;
  const answer = `Promise<AdminAnswer<${answerType(operation)}>>`;
  return `/** ${text} */\n${operation.operationId}(${parameter}): ${answer};`;
}

function methodCode(place: Place): string {
  const { method, path, operation } = place;
  const { parameters = [], requestBody, operationId } = operation;
  const names = (where: Parameter["in"]): string[] =>
    parameters.filter((one) => one.in === where).map(({ name }) => name);
  const given = (all: readonly string[]): string =>
    all.map((name) => `${JSON.stringify(name)}: input.${camel(name)}`).join(", ");
  const template = path.replaceAll(
    /\{([^}]+)\}/g,
    (_all, name: string) => `\${encodeURIComponent(input.${camel(name)})}`,
  );
  const target = template === path ? JSON.stringify(path) : `\`${template}\``;
  const members = [
    `method: ${JSON.stringify(method.toUpperCase())}`,
    `path: ${target}`,
    ...(names("query").length > 0 ? [`query: { ${given(names("query"))} }`] : []),
    ...(names("header").length > 0 ? [`headers: { ${given(names("header"))} }`] : []),
    ...(requestBody === undefined ? [] : ["body: input.body"]),
  ];
  const empty = parameters.length === 0 && requestBody === undefined;
  const parameter = empty ? "" : inputType(place).required ? "input" : "input = {}";
  return `${operationId}: (${parameter}) => transport.call({ ${members.join(", ")} }),`;
}
