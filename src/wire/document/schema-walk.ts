/** Looks into zod schemas: which keys a place of the configuration has. */
import type { z } from "zod";
import type { Path } from "./place.ts";
import { valueAt } from "./written.ts";

type Schema = z.core.$ZodType;
type Def = z.core.$ZodTypes["_zod"]["def"];

const WRAPPERS: ReadonlySet<string> = new Set([
  "optional",
  "nullable",
  "default",
  "prefault",
  "readonly",
  "nonoptional",
  "catch",
]);

/** What a schema is made of. */
export function definitionOf(schema: Schema): Def {
  return (schema as z.ZodType).def as Def;
}

/** The schema inside optional, default, readonly and transform wrappers. */
export function unwrap(schema: Schema): Schema {
  const def = definitionOf(schema);
  if (def.type === "pipe") return unwrap(def.in);
  return WRAPPERS.has(def.type) && "innerType" in def ? unwrap(def.innerType) : schema;
}

/** The schemas of an object's keys; undefined where it is not an object. */
export function shapeOf(schema: Schema): Readonly<Record<string, Schema>> | undefined {
  const def = definitionOf(unwrap(schema));
  return def.type === "object" ? def.shape : undefined;
}

/** The alternatives of a union, or the schema alone; where `value` says by its discriminator which, that one. */
export function alternatives(schema: Schema, value?: unknown): readonly Schema[] {
  const inner = unwrap(schema);
  const def = definitionOf(inner);
  if (def.type !== "union") return [inner];
  const all = def.options.flatMap((one) => alternatives(one, value));
  // The types of unions say nothing of it; those of discriminated ones have it.
  const { discriminator: key } = def as { readonly discriminator?: string };
  const said = key === undefined ? undefined : valueAt(value, [key]);
  if (key === undefined || said === undefined) return all;
  const meant = all.filter((one) => takes(shapeOf(one)?.[key], said));
  return meant.length === 0 ? all : meant;
}

function takes(schema: Schema | undefined, value: unknown): boolean {
  const def = schema === undefined ? undefined : definitionOf(unwrap(schema));
  return def?.type === "literal" && (def.values as readonly unknown[]).includes(value);
}

/** Every key that may stand in the object at `path` of `value`; empty where none is known. */
export function keysAt(schema: Schema, path: Path, value?: unknown): string[] {
  const all = alternativesAt(schema, path, value);
  const found = all.flatMap((one) => Object.keys(shapeOf(one) ?? {}));
  return [...new Set([...found, ...all.flatMap(recordKeys)])];
}

/** Of a mapping whose keys are listed. */
function recordKeys(schema: Schema): string[] {
  const def = definitionOf(unwrap(schema));
  if (def.type !== "record") return [];
  const keys = definitionOf(def.keyType);
  return keys.type === "enum" ? Object.values(keys.entries).map(String) : [];
}

/** The schemas that the value at `path` of `value` may satisfy; none where the path leads nowhere. */
export function alternativesAt(schema: Schema, path: Path, value?: unknown): readonly Schema[] {
  let level: readonly Schema[] = [schema];
  for (const [index, step] of path.entries()) {
    const holder = valueAt(value, path.slice(0, index));
    level = level.flatMap((at) => alternatives(at, holder).flatMap((one) => child(one, step)));
  }
  const end = valueAt(value, path);
  return level.flatMap((at) => alternatives(at, end));
}

function child(schema: Schema, step: string | number): Schema[] {
  const def = definitionOf(unwrap(schema));
  if (def.type === "object") {
    const found = def.shape[String(step)];
    return found === undefined ? [] : [found];
  }
  if (def.type === "array") return typeof step === "number" ? [def.element] : [];
  if (def.type === "record") return [def.valueType];
  return [];
}
