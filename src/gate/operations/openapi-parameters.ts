/** Parameters of an OpenAPI operation: where each stands in a request, and what policies read it as. */
import type { AttributeType } from "../../model/principal.ts";
import type { VocabularyParameter } from "../../model/vocabulary.ts";
import { isMapping } from "../../wire/document/written.ts";
import { DESCRIPTION_LIMITS } from "./description.ts";
import type { OpenApiDocument, Part } from "./openapi-document.ts";

const PLACES = ["path", "query", "header", "cookie"] as const;

/** One that was found well-formed. */
export interface ReadParameter {
  readonly name: string;
  readonly in: (typeof PLACES)[number];
  readonly required: boolean;
  /** Of the value, or of the JSON that is its text. */
  readonly schema: Part | undefined;
  /** JSON in one text, as its media type says. */
  readonly json: boolean;
  readonly type: AttributeType | "object";
  /** What stands between the items of a list; undefined: each is a parameter of the same name. */
  readonly delimiter: string | undefined;
  readonly path: Part["path"];
}

type Lists = readonly Part[];

/** Of a path and of an operation, whose own win. */
export function readParameters(document: OpenApiDocument, lists: Lists): ReadParameter[] {
  const found = new Map<string, ReadParameter>();
  for (const { value, path } of lists) {
    if (value === undefined) continue;
    if (!Array.isArray(value)) {
      document.report(path, "the parameters are no list");
      continue;
    }
    const own = new Set<string>();
    for (const [index, item] of (value as unknown[]).entries()) {
      const parameter = readParameter(document, { value: item, path: [...path, index] });
      if (parameter === undefined) continue;
      const key = `${parameter.in} ${parameter.name}`;
      if (own.has(key)) {
        document.report([...path, index], `the parameter "${parameter.name}" stands twice`);
      }
      own.add(key);
      found.set(key, parameter);
    }
  }
  if (found.size > DESCRIPTION_LIMITS.parameters) {
    const path = lists.at(-1)?.path ?? [];
    document.report(path, `more than ${DESCRIPTION_LIMITS.parameters} parameters`);
  }
  return [...found.values()];
}

function readParameter(document: OpenApiDocument, part: Part): ReadParameter | undefined {
  const found = document.mapping(part);
  if (found === undefined) return undefined;
  const { value, path } = found;
  const place = PLACES.find((known) => known === value["in"]);
  const { name } = value;
  if (place === undefined) {
    document.report(
      [...path, "in"],
      "this is no place of a parameter",
      `one of ${PLACES.join(", ")}`,
    );
    return undefined;
  }
  if (typeof name !== "string" || !isParameterName(name)) {
    const remedy = "1 to 128 characters, no control characters";
    document.report([...path, "name"], "this is no name of a parameter", remedy);
    return undefined;
  }
  const style = styleOf(document, { value, path }, place);
  if (style === undefined) return undefined;
  const json = jsonContent({ value: value["content"], path: [...path, "content"] });
  const schema =
    value["schema"] === undefined
      ? json?.schema
      : document.follow({ value: value["schema"], path: [...path, "schema"] });
  const type = json === undefined ? typeOf(document, schema) : "string";
  return {
    name: place === "header" ? name.toLowerCase() : name,
    in: place,
    required: place === "path" || value["required"] === true,
    schema,
    json: json !== undefined,
    type,
    delimiter: type === "strings" ? style.delimiter : undefined,
    path,
  };
}

/** Of a parameter that is described by a media type of JSON. */
function jsonContent({ value, path }: Part): { readonly schema: Part | undefined } | undefined {
  const media = isMapping(value) ? Object.entries(value) : [];
  const found = media.find(([type]) => /[/+]json\b/i.test(type));
  if (found === undefined) return undefined;
  const [type, described] = found;
  const schema = isMapping(described) ? described["schema"] : undefined;
  return {
    schema: schema === undefined ? undefined : { value: schema, path: [...path, type, "schema"] },
  };
}

const DELIMITERS: Readonly<Record<string, string | undefined>> = {
  simple: ",",
  form: undefined,
  spaceDelimited: " ",
  pipeDelimited: "|",
  deepObject: undefined,
};

const STYLES: Readonly<Record<ReadParameter["in"], readonly string[]>> = {
  path: ["simple"],
  query: ["form", "spaceDelimited", "pipeDelimited", "deepObject"],
  header: ["simple"],
  cookie: ["form"],
};

function styleOf(
  document: OpenApiDocument,
  { value, path }: Part & { readonly value: Readonly<Record<string, unknown>> },
  place: ReadParameter["in"],
): { readonly delimiter: string | undefined } | undefined {
  const known = STYLES[place];
  const style = value["style"] ?? known[0];
  if (typeof style !== "string" || !known.includes(style)) {
    const message = `parameters in the ${place} are not read in this style`;
    document.report([...path, "style"], message, `one of ${known.join(", ")}`);
    return undefined;
  }
  const spread = value["explode"] ?? style === "form";
  if (style !== "form") return { delimiter: DELIMITERS[style] };
  return { delimiter: spread === true ? undefined : "," };
}

/** A key of an object, where `__proto__` would be lost. */
function isParameterName(name: string): boolean {
  // oxlint-disable-next-line no-control-regex -- what must not be in a name
  return name !== "__proto__" && /^[^\0-\x1f\x7f]{1,128}$/.test(name) && name.isWellFormed();
}

const SCALARS: ReadonlySet<string> = new Set(["string", "integer", "number", "boolean"]);

/** What is not said to be one of these is a text, as it was sent. */
function typeOf(document: OpenApiDocument, schema: Part | undefined): ReadParameter["type"] {
  const type = plainType(schema);
  if (type === "integer") return "long";
  if (type === "boolean") return "bool";
  if (type === "object") return "object";
  if (type !== "array" || schema === undefined) return "string";
  const items = (schema.value as Readonly<Record<string, unknown>>)["items"];
  if (items === undefined) return "strings";
  const found = document.follow({ value: items, path: [...schema.path, "items"] });
  const of = plainType(found);
  return of === undefined || SCALARS.has(of) ? "strings" : "string";
}

/** The one type that is named, `null` aside (OpenAPI 3.1 has lists of them). */
export function plainType(schema: Part | undefined): string | undefined {
  const type = isMapping(schema?.value) ? schema.value["type"] : undefined;
  if (typeof type === "string") return type;
  if (!Array.isArray(type)) return undefined;
  const [only, ...more] = (type as unknown[]).filter((one) => one !== "null");
  return more.length === 0 && typeof only === "string" ? only : undefined;
}

/** What policies read: no objects, which are many parameters in one, and nothing of fields and cookies. */
export function vocabularyParameters(
  parameters: readonly ReadParameter[],
  segmentOf: (name: string) => number | undefined,
): readonly VocabularyParameter[] {
  return parameters.flatMap(({ name, in: place, type, required, delimiter }) => {
    if (type === "object" || (place !== "path" && place !== "query")) return [];
    const list = delimiter === undefined ? {} : { delimiter };
    if (place === "query") return [{ name, type, required, ...list }];
    const segment = segmentOf(name);
    return segment === undefined ? [] : [{ name, type, required, segment, ...list }];
  });
}
