/**
 * Entities in Cedar's JSON format, as tests, tools and adapters hand them over, made into a lookup
 * with the transitive closure of their parents.
 *
 * Refuses (TypeError) two entities of one uid, a circle of parents, null, and integers that JSON has
 * rounded. It does not consult a schema: extension values and entity references are written out.
 */
import type { Entity } from "./environment.ts";
import { EXTENSION_FUNCTIONS } from "./extension-functions.ts";
import { canonicalLong } from "./long.ts";
import { uidFromJson, type EntityUidJson } from "./policy-json.ts";
import { CedarRecord, CedarSet, EMPTY_RECORD, type Value } from "./values.ts";

/** A value in Cedar's JSON format; bigint is accepted for integers beyond 2^53. */
export type ValueJson =
  | boolean
  | string
  | number
  | bigint
  | readonly ValueJson[]
  | { readonly [name: string]: ValueJson };

export interface EntityJson {
  readonly uid: EntityUidJson;
  readonly attrs: Readonly<Record<string, ValueJson>>;
  readonly parents: readonly EntityUidJson[];
  readonly tags?: Readonly<Record<string, ValueJson>>;
}

/** By `EntityUid.key`. Throws TypeError, or an EvaluationError for an extension value that does not parse. */
export function entityStore(entities: readonly EntityJson[]): ReadonlyMap<string, Entity> {
  const parents = new Map<string, readonly string[]>();
  for (const { uid, parents: above } of entities) {
    const { key } = uidFromJson(uid);
    if (parents.has(key)) throw new TypeError(`two entities are called ${key}`);
    parents.set(
      key,
      above.map((parent) => uidFromJson(parent).key),
    );
  }
  const store = new Map<string, Entity>();
  for (const { uid, attrs, tags } of entities) {
    const { key } = uidFromJson(uid);
    store.set(key, {
      attributes: recordValue(attrs),
      tags: tags === undefined ? EMPTY_RECORD : recordValue(tags),
      ancestors: ancestorsOf(key, parents),
    });
  }
  return store;
}

/** Throws TypeError, or an EvaluationError for an extension value that does not parse. */
export function recordValue(json: Readonly<Record<string, ValueJson>>): CedarRecord {
  return new CedarRecord(
    new Map(Object.entries(json).map(([name, value]) => [name, valueFromJson(value)])),
  );
}

function valueFromJson(json: ValueJson): Value {
  if (typeof json === "number" && !Number.isSafeInteger(json)) {
    throw new TypeError("an integer beyond 2^53 has to be a bigint");
  }
  if (typeof json === "bigint") return canonicalLong(json);
  if (typeof json !== "object") return json;
  if (json === null) throw new TypeError("null is not a Cedar value");
  if (Array.isArray(json)) {
    return new CedarSet((json as readonly ValueJson[]).map(valueFromJson));
  }
  const record = json as Readonly<Record<string, ValueJson>>;
  if (Object.hasOwn(record, "__entity")) return uidFromJson(record as unknown as EntityUidJson);
  const call = Object.hasOwn(record, "__extn") ? record["__extn"] : undefined;
  if (call !== undefined) return extensionValue(call as unknown as ExtensionJson);
  return recordValue(record);
}

interface ExtensionJson {
  readonly fn: string;
  readonly arg?: ValueJson;
  readonly args?: readonly ValueJson[];
}

function extensionValue({ fn, arg, args }: ExtensionJson): Value {
  const extension = EXTENSION_FUNCTIONS.get(fn);
  const [first, second] = (args ?? (arg === undefined ? [] : [arg])).map(valueFromJson);
  if (extension === undefined || first === undefined) throw new TypeError(`no function ${fn}`);
  return extension.call(first, second ?? false);
}

function ancestorsOf(key: string, parents: ReadonlyMap<string, readonly string[]>): Set<string> {
  const found = new Set<string>();
  const waiting = [...(parents.get(key) ?? [])];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    waiting.push(...(parents.get(next) ?? []));
  }
  if (found.has(key)) throw new TypeError(`${key} is its own ancestor`);
  return found;
}
