/**
 * Cedar values as closures compute with them. Booleans, strings and integers (long.ts) are plain;
 * everything else is one of these classes. Equality is total, as Cedar's: values of different types
 * are unequal, never an error.
 */
import { Datetime } from "./datetime.ts";
import { Decimal } from "./decimal.ts";
import { Duration } from "./duration.ts";
import { IpAddress } from "./ip-address.ts";
import type { Long } from "./long.ts";

export type Value =
  | boolean
  | string
  | Long
  | CedarSet
  | CedarRecord
  | EntityUid
  | IpAddress
  | Decimal
  | Datetime
  | Duration;

const LIMITS = {
  /** Up to here a scan of an array beats building and asking a hash set. */
  scannedElements: 8,
} as const;

/** The name of an entity. Two are equal when their keys are. */
export class EntityUid {
  readonly type: string;
  readonly id: string;
  /** `type::id`; unambiguous, because a type holds no quote. */
  readonly key: string;

  constructor(type: string, id: string) {
    this.type = type;
    this.id = id;
    this.key = `${type}::"${id}`;
  }
}

/** A set: no order, no duplicates. */
export class CedarSet {
  /** Without duplicates. */
  readonly elements: readonly Value[];
  #hashed: Set<unknown> | undefined;

  constructor(elements: readonly Value[]) {
    this.elements = unique(elements);
  }

  contains(value: Value): boolean {
    const elements = this.elements;
    if (elements.length <= LIMITS.scannedElements) {
      for (const element of elements) if (valuesEqual(element, value)) return true;
      return false;
    }
    const key = hashKey(value);
    if (key === undefined) return elements.some((element) => valuesEqual(element, value));
    this.#hashed ??= new Set(elements.map(hashKey));
    return this.#hashed.has(key);
  }
}

/** A record, and the attributes and tags of an entity. */
export class CedarRecord {
  readonly #entries: ReadonlyMap<string, Value>;

  constructor(entries: ReadonlyMap<string, Value>) {
    this.#entries = entries;
  }

  /** The value, or undefined where there is none. */
  get(name: string): Value | undefined {
    return this.#entries.get(name);
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  entries(): ReadonlyMap<string, Value> {
    return this.#entries;
  }
}

export const EMPTY_RECORD = new CedarRecord(new Map());

/** Cedar's `==`. */
export function valuesEqual(left: Value, right: Value): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object") return false;
  if (left instanceof EntityUid) return right instanceof EntityUid && left.key === right.key;
  if (left instanceof CedarSet) return right instanceof CedarSet && setsEqual(left, right);
  if (left instanceof CedarRecord) return right instanceof CedarRecord && recordsEqual(left, right);
  if (left instanceof IpAddress) return right instanceof IpAddress && left.equals(right);
  if (left instanceof Decimal) return right instanceof Decimal && left.scaled === right.scaled;
  if (left instanceof Datetime) return right instanceof Datetime && left.ms === right.ms;
  return right instanceof Duration && left.ms === right.ms;
}

function setsEqual(left: CedarSet, right: CedarSet): boolean {
  return (
    left.elements.length === right.elements.length &&
    left.elements.every((element) => right.contains(element))
  );
}

function recordsEqual(left: CedarRecord, right: CedarRecord): boolean {
  const others = right.entries();
  const entries = left.entries();
  if (entries.size !== others.size) return false;
  for (const [name, value] of entries) {
    const other = others.get(name);
    if (other === undefined || !valuesEqual(value, other)) return false;
  }
  return true;
}

function unique(elements: readonly Value[]): readonly Value[] {
  if (elements.length < 2) return elements;
  const seen = new Set<unknown>();
  const kept: Value[] = [];
  const compound: Value[] = [];
  for (const element of elements) {
    const key = hashKey(element);
    if (key === undefined) {
      if (compound.some((other) => valuesEqual(other, element))) continue;
      compound.push(element);
    } else {
      if (seen.has(key)) continue;
      seen.add(key);
    }
    kept.push(element);
  }
  return kept;
}

/** Equal values of these types have equal keys and no others have; undefined for compound values. */
function hashKey(value: Value): unknown {
  if (typeof value !== "object") return typeof value === "string" ? `s${value}` : value;
  return value instanceof EntityUid ? `e${value.key}` : undefined;
}
