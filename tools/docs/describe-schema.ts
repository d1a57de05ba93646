/** Says in words what a zod schema takes: for the configuration reference. */
import { z } from "zod";
import {
  alternatives,
  definitionOf,
  shapeOf,
  unwrap,
} from "../../src/wire/document/schema-walk.ts";

type Schema = z.core.$ZodType;

/** One line of a table. */
export interface Row {
  /** Dotted from the section. */
  readonly key: string;
  readonly required: boolean;
  readonly type: string;
  /** As YAML; undefined where there is none. */
  readonly fallback: string | undefined;
  readonly description: string;
}

/** The keys of an object schema, those of objects within it under dotted names. */
export function rowsOf(schema: Schema, prefix = ""): Row[] {
  const rows = Object.entries(shapeOf(schema) ?? {}).flatMap(([name, child]) => {
    const key = prefix + name;
    const inners = innerOf(child);
    const nested = inners.flatMap(({ suffix, inner }) => {
      const beside = inners.filter((one) => one.suffix === suffix && one.inner !== inner);
      const choice = { inner, others: beside.map((one) => one.inner) };
      const start = `${key}${suffix}.`;
      return rowsOf(inner, start).map((row) => chosen(row, start, choice));
    });
    return [
      {
        key,
        required: !isOptional(child),
        type: typeOf(child),
        fallback: fallbackOf(child),
        description: descriptionOf(child),
      },
      ...nested,
    ];
  });
  // A key that several mappings of a union have is described once.
  return rows.filter(({ key }, index) => rows.findIndex((other) => other.key === key) === index);
}

/** A key that one mapping of a union needs and another does not is no required key: it says when it is. */
function chosen(row: Row, prefix: string, { inner, others }: Choice): Row {
  const name = row.key.slice(prefix.length);
  const needed = neededKeys(inner);
  if (!needed.includes(name) || others.every((one) => neededKeys(one).includes(name))) return row;
  const type = shapeOf(inner)?.["type"];
  const names = others
    .flatMap(neededKeys)
    .filter((other) => !needed.includes(other))
    .map((other) => `\`${other}\``);
  const choice =
    type === undefined
      ? `Either ${["this", ...names.slice(0, -1)].join(", ")} or ${names.at(-1)}.`
      : `Needed with \`type: ${typeOf(type).replaceAll("`", "")}\`.`;
  return { ...row, required: false, description: `${choice} ${row.description}` };
}

interface Choice {
  readonly inner: Schema;
  /** The union's other mappings. */
  readonly others: readonly Schema[];
}

function neededKeys(schema: Schema): readonly string[] {
  return Object.entries(shapeOf(schema) ?? {})
    .filter(([, child]) => !isOptional(child))
    .map(([name]) => name);
}

/** The description nearest to the outside. */
export function descriptionOf(schema: Schema): string {
  let at: Schema = schema;
  for (;;) {
    const text = (at as z.ZodType).description;
    if (text !== undefined) return text;
    const def = definitionOf(at);
    if ("innerType" in def) at = def.innerType;
    else if (def.type === "pipe") at = def.in;
    else return "";
  }
}

interface Inner {
  readonly suffix: string;
  readonly inner: Schema;
}

/**
 * Objects that a value holds: itself, a list's items, a mapping's values, a union's mappings. One
 * that may stand alone or in a list is described once.
 */
function innerOf(schema: Schema): Inner[] {
  const seen = new Set<unknown>();
  return everyInner(schema).filter(({ inner }) => {
    const shape = shapeOf(inner);
    if (seen.has(shape)) return false;
    seen.add(shape);
    return true;
  });
}

function everyInner(schema: Schema): Inner[] {
  return alternatives(schema).flatMap((one) => {
    if (shapeOf(one) !== undefined) return [{ suffix: "", inner: one }];
    const def = definitionOf(unwrap(one));
    if (def.type === "array") return within(def.element, "[]");
    return def.type === "record" ? within(def.valueType, ".<name>") : [];
  });
}

function within(schema: Schema, suffix: string): Inner[] {
  return alternatives(schema)
    .filter((one) => shapeOf(one) !== undefined)
    .map((inner) => ({ suffix, inner }));
}

function isOptional(schema: Schema): boolean {
  return (schema as z.ZodType).safeParse(undefined).success;
}

function fallbackOf(schema: Schema): string | undefined {
  const def = definitionOf(schema);
  if (def.type === "default" || def.type === "prefault") {
    const value = def.defaultValue;
    const empty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
    if (empty && !Array.isArray(value)) return undefined;
    return typeof value === "string" ? value : JSON.stringify(value);
  }
  return "innerType" in def ? fallbackOf(def.innerType) : undefined;
}

/** What is taken, in the words that a wrong value would be answered with. */
export function typeOf(schema: Schema): string {
  const inner = unwrap(schema);
  const def = definitionOf(inner);
  if (def.type === "array") return `list of: ${typeOf(def.element)}`;
  if (def.type === "record") return `mapping of names to: ${typeOf(def.valueType)}`;
  if (def.type === "union") return [...new Set(def.options.map(typeOf))].join(", or ");
  if (def.type === "enum") return valuesText(Object.values(def.entries));
  if (def.type === "literal") return valuesText(def.values);
  if (def.type === "number") return numberText(inner);
  return FIXED[def.type] ?? textOf(inner);
}

const FIXED: Readonly<Record<string, string>> = {
  object: "mapping",
  boolean: "`true` or `false`",
  bigint: "whole number",
};

function valuesText(values: readonly unknown[]): string {
  return values.map((value) => `\`${String(value)}\``).join(" \\| ");
}

function numberText(schema: Schema): string {
  const json = z.toJSONSchema(schema as z.ZodType, { io: "input" });
  const what = json.type === "integer" ? "whole number" : "number";
  const [min, max] = [json.minimum, json.maximum];
  if (min === Number.MIN_SAFE_INTEGER || min === undefined || max === undefined) return what;
  return max === Number.MAX_SAFE_INTEGER ? `${what} from ${min}` : `${what} from ${min} to ${max}`;
}

/** The schema's own words, got by giving it what is no text, and then a text that nothing takes. */
function textOf(schema: Schema): string {
  const messages = [Symbol("wrong"), "\u0000"].map((wrong) => {
    const result = (schema as z.ZodType).safeParse(wrong, { error: () => "" });
    return result.error?.issues[0]?.message ?? "";
  });
  const own = messages.find((message) => message !== "" && !message.startsWith("Invalid"));
  return own === undefined
    ? "text"
    : own
        .replace(/^an? /, "")
        .replace(/, such as (?:500ms|30s|5m|12h|30d|512B)(?:[, ].*)?$/, "")
        .replaceAll(/[|*]/g, "\\$&");
}
