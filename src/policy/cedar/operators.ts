/**
 * What Cedar's operators compute at run time: narrowing of a value to the type that an operator takes
 * (else TYPE_ERROR), comparison, membership, and sets.
 */
import { Datetime } from "./datetime.ts";
import { Duration } from "./duration.ts";
import type { Environment } from "./environment.ts";
import { TYPE_ERROR } from "./evaluation-error.ts";
import { isLong, type Long } from "./long.ts";
import { CedarRecord, CedarSet, EntityUid, type Value } from "./values.ts";

export function asBoolean(value: Value): boolean {
  if (value === true || value === false) return value;
  throw TYPE_ERROR;
}

export function asLong(value: Value): Long {
  if (isLong(value)) return value;
  throw TYPE_ERROR;
}

export function lessThan(left: Value, right: Value): boolean {
  if (isLong(left) && isLong(right)) return left < right;
  if (left instanceof Datetime && right instanceof Datetime) return left.ms < right.ms;
  if (left instanceof Duration && right instanceof Duration) return left.ms < right.ms;
  throw TYPE_ERROR;
}

export function lessOrEqual(left: Value, right: Value): boolean {
  return !lessThan(right, left);
}

/** Whether the entity is the target or in it; of a set, any member, all of which must be entities. */
export function isIn(env: Environment, entity: EntityUid, target: Value): boolean {
  if (target instanceof EntityUid) {
    return entity.key === target.key || env.entity(entity)?.ancestors.has(target.key) === true;
  }
  if (!(target instanceof CedarSet)) throw TYPE_ERROR;
  let found = false;
  for (const element of target.elements) {
    if (isIn(env, entity, asUid(element))) found = true;
  }
  return found;
}

export function asUid(value: Value): EntityUid {
  if (value instanceof EntityUid) return value;
  throw TYPE_ERROR;
}

export function attributes(env: Environment, value: Value): CedarRecord | undefined {
  if (value instanceof CedarRecord) return value;
  if (value instanceof EntityUid) return env.entity(value)?.attributes;
  throw TYPE_ERROR;
}

export function asString(value: Value): string {
  if (typeof value === "string") return value;
  throw TYPE_ERROR;
}

export function asSet(value: Value): CedarSet {
  if (value instanceof CedarSet) return value;
  throw TYPE_ERROR;
}

export function contains(left: Value, right: Value): boolean {
  return asSet(left).contains(right);
}

export function containsAll(left: Value, right: Value): boolean {
  const container = asSet(left);
  return asSet(right).elements.every((element) => container.contains(element));
}

export function containsAny(left: Value, right: Value): boolean {
  const container = asSet(left);
  return asSet(right).elements.some((element) => container.contains(element));
}
