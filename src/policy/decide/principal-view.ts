/**
 * A principal as policies see it. Principals are frozen and shared by all requests that carry the same
 * credential, so this is made once for each.
 */
import { principalId, type AttributeValue, type Principal } from "../../model/principal.ts";
import { PRINCIPAL_TYPES, sallyportUid } from "../cedar-names.ts";
import type { Entity } from "../cedar/environment.ts";
import type { IndexedPrincipal } from "../cedar/evaluation.ts";
import { canonicalLong } from "../cedar/long.ts";
import {
  CedarRecord,
  CedarSet,
  EMPTY_RECORD,
  type EntityUid,
  type Value,
} from "../cedar/values.ts";

export interface PrincipalView {
  readonly uid: EntityUid;
  readonly entity: Entity;
  readonly indexed: IndexedPrincipal;
}

/** `isAsked` tells which roles and groups any policy's scope names: most directories send many more. */
export function createPrincipalView(
  principal: Principal,
  isAsked: (key: string) => boolean,
): PrincipalView {
  const uid = sallyportUid(PRINCIPAL_TYPES[principal.kind], principalId(principal));
  const ancestors = new Set([
    ...principal.roles.map((role) => sallyportUid("Role", role).key),
    ...principal.groups.map((group) => sallyportUid("Group", group).key),
  ]);
  return {
    uid,
    entity: { attributes: attributesRecord(principal.attributes), tags: EMPTY_RECORD, ancestors },
    indexed: { key: uid.key, type: uid.type, within: [uid.key, ...ancestors].filter(isAsked) },
  };
}

/** Attributes of a principal, service or route. */
export function attributesRecord(
  attributes: Readonly<Record<string, AttributeValue>>,
): CedarRecord {
  const entries = Object.entries(attributes);
  if (entries.length === 0) return EMPTY_RECORD;
  return new CedarRecord(new Map(entries.map(([name, value]) => [name, attributeValue(value)])));
}

/** Throws TypeError for a number that is no integer: its declaration should have refused it. */
function attributeValue(value: AttributeValue): Value {
  if (typeof value === "bigint") return canonicalLong(value);
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new TypeError("an attribute is a number that is not a safe integer");
  }
  if (typeof value !== "object") return value;
  return new CedarSet(value);
}
