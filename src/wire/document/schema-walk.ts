/** Looks into zod schemas: which keys a place of the configuration has. */
import type { z } from "zod";
import type { Path } from "./place.ts";

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

/** The alternatives of a union, or the schema alone. */
export function alternatives(schema: Schema): readonly Schema[] {
  const inner = unwrap(schema);
  const def = definitionOf(inner);
  return def.type === "union" ? def.options.flatMap(alternatives) : [inner];
}

/** Every key that may stand in the object at `path`; empty where none is known. */
export function keysAt(schema: Schema, path: Path): string[] {
  const found = alternativesAt(schema, path).flatMap((one) => Object.keys(shapeOf(one) ?? {}));
  return [...new Set(found)];
}

/** The schemas that the value at `path` may satisfy; none where the path leads nowhere. */
export function alternativesAt(schema: Schema, path: Path): readonly Schema[] {
  let level: readonly Schema[] = [schema];
  for (const step of path)
    level = level.flatMap((at) => alternatives(at).flatMap((one) => child(one, step)));
  return level.flatMap(alternatives);
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
