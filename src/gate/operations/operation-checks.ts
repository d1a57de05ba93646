/** The rules of one operation, compiled: what of a request does not fit, and by which rule; never the value. */
import { parseJson } from "../../model/json.ts";
import type { Fields } from "../../model/http.ts";
import { parseFormQuery } from "../../policy/decide/form-query.ts";
import { getAllFields } from "../../wire/fields.ts";
import type { BodyRule, OperationRules, ParameterRule, TextType } from "./description.ts";
import type { SchemaCheck, SchemaCompiler } from "./json-schema.ts";

/** What is told to the caller. */
export interface Misfit {
  readonly in: ParameterRule["in"] | "body";
  /** Of a parameter. */
  readonly name?: string;
  /** JSON Pointer within the body, or within a parameter that is more than a text. */
  readonly pointer?: string;
  /** A keyword of JSON Schema, or `repeated`, `encoding`, `json`. */
  readonly rule: string;
}

export interface OperationChecks {
  /** The first parameter that does not fit. `path` is the one of the service. */
  parameters(path: string, query: string | undefined, fields: Fields): Misfit | undefined;
  readonly body: BodyChecks | undefined;
}

export interface BodyChecks {
  readonly required: boolean;
  /** For a media type: how its body is checked, `any` where nothing is asked of it; undefined: it is not taken. */
  contentOf(type: string): BodyCheck | "any" | undefined;
}

export type BodyCheck = (bytes: Uint8Array) => Misfit | undefined;

const LIMITS = {
  /** Arrays and objects around a value, as for bodies that are changed. */
  depth: 64,
} as const;

export function createOperationChecks(
  { parameters, body }: OperationRules,
  compile: SchemaCompiler,
): OperationChecks {
  const checks = parameters.map((rule) => parameterCheck(rule, compile));
  const asksQuery = parameters.some((rule) => rule.in === "query");
  return {
    parameters(path, query, fields) {
      let values: ReadonlyMap<string, readonly string[]> = NO_VALUES;
      if (asksQuery && query !== undefined) {
        try {
          values = parseFormQuery(query);
        } catch {
          return { in: "query", rule: "encoding" };
        }
      }
      const request = { segments: path.slice(1).split("/"), values, fields };
      for (const check of checks) {
        const misfit = check(request);
        if (misfit !== undefined) return misfit;
      }
      return undefined;
    },
    body: body === undefined ? undefined : bodyChecks(body, compile),
  };
}

const NO_VALUES: ReadonlyMap<string, readonly string[]> = new Map();

interface ParameterValues {
  readonly segments: readonly string[];
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly fields: Fields;
}

function parameterCheck(
  rule: ParameterRule,
  compile: SchemaCompiler,
): (request: ParameterValues) => Misfit | undefined {
  const { in: place, name, required, schema } = rule;
  const fits: SchemaCheck = schema === undefined ? () => undefined : compile(schema);
  const misfit = (keyword: string): Misfit => ({ in: place, name, rule: keyword });
  return (request) => {
    const texts = textsOf(rule, request);
    if (texts.length === 0) return required ? misfit("required") : undefined;
    if (texts.length > 1 && !(rule.list && rule.delimiter === undefined)) return misfit("repeated");
    const value = valueOf(rule, texts);
    if (value === undefined) return misfit(rule.as === "json" ? "json" : "type");
    const fault = fits(value.is);
    if (fault === undefined) return undefined;
    return {
      ...misfit(fault.keyword),
      ...(fault.pointer === "" ? {} : { pointer: fault.pointer }),
    };
  };
}

function textsOf(
  { in: place, name, segment }: ParameterRule,
  { segments, values, fields }: ParameterValues,
): readonly string[] {
  if (place === "query") return values.get(name) ?? [];
  if (place === "header") return getAllFields(fields, name);
  const text = segments[segment ?? -1];
  return text === undefined ? [] : [text];
}

/** Undefined where a text is not what it has to be. */
function valueOf(
  { in: place, list, delimiter, as }: ParameterRule,
  texts: readonly string[],
): { readonly is: unknown } | undefined {
  const items = list && delimiter !== undefined ? (texts[0] ?? "").split(delimiter) : texts;
  const values: unknown[] = [];
  for (const item of items) {
    // Segments stand as they came; items of a field may have spaces around them.
    const text =
      place === "path" ? decodeURIComponent(item) : place === "header" ? item.trim() : item;
    const value = READ[as](text);
    if (value === undefined) return undefined;
    values.push(value.is);
  }
  return { is: list ? values : values[0] };
}

const INTEGER = /^-?(?:0|[1-9][0-9]{0,18})$/;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

type Read = { readonly is: unknown } | undefined;

const READ: Readonly<Record<TextType, (text: string) => Read>> = {
  string: (text) => ({ is: text }),
  integer: (text) => (INTEGER.test(text) ? { is: Number(text) } : undefined),
  number: (text) => (NUMBER.test(text) ? { is: Number(text) } : undefined),
  boolean: (text) => (text === "true" || text === "false" ? { is: text === "true" } : undefined),
  json: readJson,
};

/** In one reading only: what names a member twice is no value. */
function readJson(text: string): Read {
  try {
    parseJson(text, { maxDepth: LIMITS.depth });
    return { is: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function bodyChecks({ required, contents }: BodyRule, compile: SchemaCompiler): BodyChecks {
  const byType = new Map(
    contents.map(({ type, schema }): [string, BodyCheck | "any"] => [
      type,
      schema === undefined ? "any" : bodyCheck(compile(schema)),
    ]),
  );
  return {
    required,
    contentOf: (type) =>
      byType.get(type) ?? byType.get(`${type.split("/", 1)[0] ?? ""}/*`) ?? byType.get("*/*"),
  };
}

function bodyCheck(fits: SchemaCheck): BodyCheck {
  return (bytes) => {
    const read = readJson(utf8(bytes));
    if (read === undefined) return { in: "body", pointer: "", rule: "json" };
    const fault = fits(read.is);
    return fault && { in: "body", pointer: fault.pointer, rule: fault.keyword };
  };
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Nothing, which is no JSON, for what is not UTF-8. */
function utf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return "";
  }
}
