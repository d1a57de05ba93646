/**
 * What a decision record lets us know of `context.body`: values that the route let it hold, and of the
 * others that they were there, with their type. Of lists the keyed hashes of their texts can be compared.
 */
import type { AttributeType, AttributeValue } from "../../model/principal.ts";
import { attributesRecord } from "../decide/attributes-record.ts";
import { PartialRecord, type Unknown } from "./unknown.ts";
import type { ValueType } from "./value-types.ts";

export type RecordedBody = Readonly<Record<string, RecordedValue>>;

export type RecordedValue =
  | { readonly value: AttributeValue }
  | { readonly hashes: readonly string[]; readonly type: AttributeType };

/** The keyed hash of a value of a body (`audit/value-hash.ts`). */
export type BodyHash = (kind: "body", name: string, value: string) => string;

/** What stands there in clear. */
export function clearValues(body: RecordedBody): Readonly<Record<string, AttributeValue>> {
  const known = Object.entries(body).flatMap(([name, recorded]) =>
    "value" in recorded ? [[name, recorded.value] as const] : [],
  );
  return Object.fromEntries(known);
}

/** For the place of `context.body`; undefined where the record holds all of it. */
export function hiddenBody(body: RecordedBody, hash?: BodyHash): Unknown | undefined {
  const unknown = new Map<string, Unknown>();
  for (const [own, recorded] of Object.entries(body)) {
    if (!("value" in recorded)) unknown.set(own, hidden(own, recorded, hash));
  }
  if (unknown.size === 0) return undefined;
  const name = "context.body";
  const known = attributesRecord(clearValues(body));
  return { name, value: new PartialRecord({ name, known, unknown }) };
}

const TYPES: Readonly<Record<AttributeType, ValueType>> = {
  string: "string",
  bool: "boolean",
  long: "long",
  strings: "set",
};

function hidden(
  own: string,
  { hashes, type }: Extract<RecordedValue, { readonly hashes: unknown }>,
  hash?: BodyHash,
): Unknown {
  const plain = { name: `context.body.${own}`, type: TYPES[type] };
  if (type !== "strings" || hash === undefined) return plain;
  const compare = (value: string): string => hash("body", own, value);
  return { ...plain, hashed: { hashes: new Set(hashes), hash: compare } };
}
