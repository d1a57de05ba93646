/** What requests for an operation are held against, as plain data that can go to another thread. */
import { isMapping } from "../../wire/document/written.ts";
import type { BodyRule, OperationRules, ParameterRule, TextType } from "./description.ts";
import type { SchemaCompiler } from "./json-schema.ts";
import type { OpenApiDocument, Part } from "./openapi-document.ts";
import { plainType, type ReadParameter } from "./openapi-parameters.ts";
import { standaloneSchema } from "./openapi-schema.ts";
import type { ReadOperation } from "./read-operation.ts";

export interface RuleReading {
  readonly document: OpenApiDocument;
  readonly compile: SchemaCompiler;
  /** Whether bodies are held against it too. */
  readonly bodies: boolean;
}

/** Schemas that cannot be used are reported. */
export function readRules(operation: ReadOperation, reading: RuleReading): OperationRules {
  return {
    parameters: operation.parameters.flatMap((parameter) =>
      parameterRule(operation, parameter, reading),
    ),
    body: reading.bodies ? readBody(operation, reading) : undefined,
  };
}

/** RFC 9110 has rules of its own for these: OpenAPI says that they are not described so. */
const OWN_FIELDS: ReadonlySet<string> = new Set(["accept", "content-type", "authorization"]);

function parameterRule(
  { words }: ReadOperation,
  parameter: ReadParameter,
  reading: RuleReading,
): ParameterRule[] {
  const { name, in: place, type, required, delimiter, json, schema } = parameter;
  // Cookies are cut from what is forwarded where they are ours, and objects are many parameters in one.
  if (place === "cookie" || type === "object") return [];
  if (place === "header" && OWN_FIELDS.has(name)) return [];
  const list = type === "strings";
  const items = list && isMapping(schema?.value) ? schema.value["items"] : undefined;
  const of =
    items === undefined
      ? schema
      : reading.document.follow({ value: items, path: [...(schema?.path ?? []), "items"] });
  const segment = words.path.split("/").indexOf(`{${name}}`) - 1;
  return [
    {
      name,
      in: place,
      required,
      segment: place === "path" ? segment : undefined,
      as: json ? "json" : textType(list && items === undefined ? undefined : of),
      list,
      delimiter,
      schema: schema === undefined ? undefined : usable(schema, reading),
    },
  ];
}

const TEXT_TYPES: readonly string[] = ["integer", "number", "boolean"] satisfies TextType[];

function textType(schema: Part | undefined): TextType {
  const type = plainType(schema) ?? "string";
  return TEXT_TYPES.includes(type) ? (type as TextType) : "string";
}

function usable(
  part: Part,
  { document, compile }: Pick<RuleReading, "document" | "compile">,
): string {
  const text = standaloneSchema(document, part);
  try {
    compile(text);
  } catch (error) {
    document.report(part.path, `this schema cannot be used: ${(error as Error).message}`);
  }
  return text;
}

function readBody({ part }: ReadOperation, reading: RuleReading): BodyRule {
  const { document } = reading;
  const written = part.value["requestBody"];
  if (written === undefined) return { required: false, contents: [] };
  const body = document.mapping({ value: written, path: [...part.path, "requestBody"] });
  const content = document.mapping({
    value: body?.value["content"],
    path: [...(body?.path ?? part.path), "content"],
  });
  const contents = Object.entries(content?.value ?? {}).map(([type, media]) => {
    const essence = type.toLowerCase().split(";", 1)[0]?.trim() ?? "";
    const schema = isMapping(media) ? media["schema"] : undefined;
    if (schema === undefined || !/[/+]json$/.test(essence)) return { type: essence };
    const path = [...(content?.path ?? []), type, "schema"];
    return { type: essence, schema: usable({ value: schema, path }, reading) };
  });
  return { required: body?.value["required"] === true, contents };
}
