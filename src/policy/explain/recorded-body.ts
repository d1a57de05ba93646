/**
 * What a decision record lets us know of a body: values that the route let it hold, and of the others that
 * they were there, with their type and keyed hashes, with which they can be compared.
 *
 * Policies of then saw what the record has and nothing else. Others may look for more: what the record lacks
 * was absent where it was looked for then, and may have been anything where it was not.
 */
import type { AttributeType, AttributeValue } from "../../model/principal.ts";
import type { RpcCall } from "../../model/rpc.ts";
import type { VocabularyInspection } from "../../model/vocabulary.ts";
import { attributesRecord } from "../decide/attributes-record.ts";
import { PartialRecord, type Unknown } from "./unknown.ts";
import { unknownContext } from "./unknown-context.ts";
import type { ValueType } from "./value-types.ts";

export type RecordedBody = Readonly<Record<string, RecordedValue>>;

export type RecordedValue = { readonly value: AttributeValue } | HashedValue;

interface HashedValue {
  readonly hashes: readonly string[];
  readonly type: AttributeType;
}

/** The keyed hash of a value of a body (`audit/value-hash.ts`). */
export type BodyHash = (kind: "body", name: string, value: string) => string;

/** What policies look at of a route's bodies. */
export interface BodyViews {
  /** Those that are asked; undefined: nothing. */
  readonly asked: VocabularyInspection | undefined;
  /** Those of then, where that is known. */
  readonly before?: { readonly inspect: VocabularyInspection | undefined } | undefined;
}

export interface BodyQuestion {
  /** Left out: the policies that are asked are those of then. */
  readonly views?: BodyViews | undefined;
  /** Without it no hashed value can be compared. */
  readonly hash?: BodyHash | undefined;
}

export interface KnownBody {
  /** What stands in the record in clear; undefined where there was no body. */
  readonly values: Readonly<Record<string, AttributeValue>> | undefined;
  /** For the place of `context.body`; undefined where the values are all of it. */
  readonly unknown: Unknown | undefined;
}

const NAME = "context.body";
const NOTHING: KnownBody = { values: undefined, unknown: undefined };

export function knownBody(body: RecordedBody | undefined, question: BodyQuestion = {}): KnownBody {
  const { views, hash } = question;
  if (views === undefined) return body === undefined ? NOTHING : known(membersOf(body, hash));
  const declared = views.asked?.body ?? {};
  if (Object.keys(declared).length === 0) return NOTHING;
  const looked = views.before?.inspect?.body ?? {};
  // Somebody looked into it, and there was none.
  if (body === undefined && Object.keys(looked).length > 0) return NOTHING;
  const members = membersOf(body ?? {}, hash);
  const seen: Members = { values: new Map(), unknown: new Map() };
  for (const [own, type] of Object.entries(declared)) {
    const value = members.values.get(own);
    const hashed = members.unknown.get(own);
    if (value !== undefined && typeOf(value) === type) seen.values.set(own, value);
    else if (hashed?.type === TYPES[type]) seen.unknown.set(own, hashed);
    else if (value !== undefined || hashed !== undefined || looked[own] !== type) {
      seen.unknown.set(own, { name: `${NAME}.${own}`, type: TYPES[type], maybeAbsent: true });
    }
  }
  return known(seen, body === undefined);
}

export interface KnownRpc {
  readonly call: RpcCall | undefined;
  /** For the place of `context.rpc`. */
  readonly unknown: Unknown | undefined;
}

export function knownRpc(call: RpcCall | undefined, views?: BodyViews): KnownRpc {
  if (views === undefined) return { call, unknown: undefined };
  const wanted = views.asked?.rpc;
  if (wanted === undefined) return { call: undefined, unknown: undefined };
  const seen = call === undefined ? views.before?.inspect?.rpc : call.protocol;
  if (seen === wanted) return { call, unknown: undefined };
  // Not looked for, or read as another protocol.
  return { call: undefined, unknown: unknownContext().context.get("rpc") };
}

interface Members {
  readonly values: Map<string, AttributeValue>;
  readonly unknown: Map<string, Unknown>;
}

function known({ values: clear, unknown }: Members, maybeAbsent = false): KnownBody {
  const values = Object.fromEntries(clear);
  if (unknown.size === 0) return { values, unknown: undefined };
  const value = new PartialRecord({ name: NAME, known: attributesRecord(values), unknown });
  return { values, unknown: { name: NAME, value, maybeAbsent } };
}

function membersOf(body: RecordedBody, hash: BodyHash | undefined): Members {
  const members: Members = { values: new Map(), unknown: new Map() };
  for (const [own, recorded] of Object.entries(body)) {
    const value = "value" in recorded ? recorded.value : toldBoolean(own, recorded, hash);
    if (value !== undefined) members.values.set(own, value);
    else if ("hashes" in recorded) members.unknown.set(own, hidden(own, recorded, hash));
  }
  return members;
}

/** There are only two that it can be. */
function toldBoolean(
  own: string,
  { hashes: [only], type }: HashedValue,
  hash?: BodyHash,
): boolean | undefined {
  if (type !== "bool" || hash === undefined) return undefined;
  return [true, false].find((value) => hash("body", own, String(value)) === only);
}

const TYPES: Readonly<Record<AttributeType, ValueType>> = {
  string: "string",
  bool: "boolean",
  long: "long",
  strings: "set",
};

function hidden(own: string, { hashes, type }: HashedValue, hash?: BodyHash): Unknown {
  const plain = { name: `${NAME}.${own}`, type: TYPES[type] };
  if (hash === undefined) return plain;
  const compare = (value: string): string => hash("body", own, value);
  return { ...plain, hashed: { hashes: new Set(hashes), hash: compare } };
}

function typeOf(value: AttributeValue): AttributeType {
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  return Array.isArray(value) ? "strings" : "long";
}
