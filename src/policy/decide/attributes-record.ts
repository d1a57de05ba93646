/** Attributes of principals, services and routes as policies see them. */
import type { AttributeValue } from "../../model/principal.ts";
import { canonicalLong } from "../cedar/long.ts";
import { CedarRecord, CedarSet, EMPTY_RECORD, type Value } from "../cedar/values.ts";

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
