/**
 * Reads declared values out of a JSON document: each has a place (RFC 6901) and a type. For somebody who
 * decides by them while somebody else acts by the same bytes, so what two readers could understand
 * differently is refused.
 *
 * Refuses a value of another type (`null` too), a number that is not written as a 64-bit integer
 * (`1e3`, `1.0` and `1.00000000000000001` are read in several ways), texts with NUL, something else than
 * an object on the way to a place, and members whose names a lenient reader would take for one on the way
 * (member-names.ts). What is not there is left out.
 */
import { isJsonObject, type JsonValue } from "../model/json.ts";
import type { AttributeType, AttributeValue } from "../model/principal.ts";
import { openJsonText } from "./json-edit.ts";
import type { JsonPointer } from "./json-pointer.ts";
import { foldedName } from "./member-names.ts";

export interface JsonField {
  /** Under which its value is given. */
  readonly name: string;
  readonly at: JsonPointer;
  readonly type: AttributeType;
}

/** What is there, by name; or why the document cannot be used: for the operator, with nothing of it. */
export type JsonFields =
  | { readonly values: Readonly<Record<string, AttributeValue>>; readonly fault?: undefined }
  | { readonly fault: string };

export const JSON_FIELD_LIMITS = {
  /** Texts of a list; each is hashed for the record. */
  items: 128,
} as const;

/** `text` is what `document` was read from, strictly (model/json.ts). */
export type ReadJsonFields = (document: JsonValue, text: string) => JsonFields;

/** Compiles the places into one tree, so that each object on the way is looked at once. */
export function createJsonFields(fields: readonly JsonField[]): ReadJsonFields {
  const root = new Place("");
  for (const field of fields) {
    let place = root;
    for (const token of field.at) place = place.within(token);
    place.fields.push(field);
  }
  return (document, text) => {
    const reading: Reading = { text, values: Object.create(null), written: undefined };
    const fault = read(root, document, reading);
    return fault === undefined ? { values: reading.values } : { fault };
  };
}

/** One place on the way to what is declared. */
class Place {
  /** As a pointer is written, for messages. */
  readonly pointer: string;
  readonly inner = new Map<string, Place>();
  /** What could be taken for a name on the way. */
  readonly folded = new Set<string>();
  readonly fields: JsonField[] = [];

  constructor(pointer: string) {
    this.pointer = pointer;
  }

  /** The place of that name within it, made where it is new. */
  within(token: string): Place {
    let next = this.inner.get(token);
    if (next === undefined) {
      const escaped = token.replaceAll("~", "~0").replaceAll("/", "~1");
      next = new Place(`${this.pointer}/${escaped}`);
      this.inner.set(token, next);
      this.folded.add(foldedName(token));
    }
    return next;
  }
}

interface Reading {
  readonly text: string;
  readonly values: Record<string, AttributeValue>;
  /** Opened when a number is met. */
  written: ((pointer: JsonPointer) => string | undefined) | undefined;
}

/** As deep as the deepest place that is declared. Undefined: nothing is wrong. */
function read(place: Place, value: JsonValue, reading: Reading): string | undefined {
  for (const field of place.fields) {
    const found = typed(field, value, reading);
    if (found === undefined) return `${place.pointer} is no ${TYPE_NAMES[field.type]}`;
    reading.values[field.name] = found;
  }
  if (place.inner.size === 0) return undefined;
  if (Array.isArray(value)) return readItems(place, value as readonly JsonValue[], reading);
  if (!isJsonObject(value)) return `${place.pointer || "the document"} is no object`;
  for (const name of Object.keys(value)) {
    const next = place.inner.get(name);
    if (next === undefined) {
      if (!place.folded.has(foldedName(name))) continue;
      return `${place.pointer || "the document"} has a member whose name looks like a declared one`;
    }
    const fault = read(next, value[name] as JsonValue, reading);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function readItems(
  place: Place,
  items: readonly JsonValue[],
  reading: Reading,
): string | undefined {
  for (const [token, next] of place.inner) {
    if (!INDEX.test(token)) return `${place.pointer || "the document"} is a list, not an object`;
    const item = items[Number(token)];
    const fault = item === undefined ? undefined : read(next, item, reading);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** RFC 6901 section 4: digits without a zero in front. */
const INDEX = /^(?:0|[1-9][0-9]{0,9})$/;
const INTEGER = /^-?(?:0|[1-9][0-9]{0,18})$/;

const TYPE_NAMES: Readonly<Record<AttributeType, string>> = {
  string: "text without NUL",
  bool: "true or false",
  long: "number that is written as an integer of 64 bits",
  strings: `list of at most ${JSON_FIELD_LIMITS.items} texts without NUL`,
};

function typed(field: JsonField, value: JsonValue, reading: Reading): AttributeValue | undefined {
  const { type, at } = field;
  if (type === "string") return isText(value) ? value : undefined;
  if (type === "bool") return typeof value === "boolean" ? value : undefined;
  if (type === "strings") {
    const few = Array.isArray(value) && value.length <= JSON_FIELD_LIMITS.items;
    return few && value.every(isText) ? value : undefined;
  }
  const isNumber = typeof value === "number" || typeof value === "bigint";
  return isNumber ? integerAt(at, reading) : undefined;
}

/** Some read a text only up to NUL: a rule about the whole of it would not be about what they see. */
function isText(value: JsonValue): value is string {
  return typeof value === "string" && !value.includes("\0");
}

function integerAt(at: JsonPointer, reading: Reading): number | bigint | undefined {
  reading.written ??= openJsonText(reading.text);
  const text = reading.written(at);
  if (text === undefined || !INTEGER.test(text)) return undefined;
  const exact = BigInt(text);
  if (BigInt.asIntN(64, exact) !== exact) return undefined;
  const number = Number(exact);
  return Number.isSafeInteger(number) ? number : exact;
}
