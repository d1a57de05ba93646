/**
 * `authorization_details` (RFC 9396 section 2) of our own type, from text or JSON to checked values.
 *
 * Refuses entries of other types, members that are not ours, empty lists, names twice, and more than the
 * bounds: whoever wrote something that we do not enforce must not believe that we do (section 5).
 */
import { ACCESS_DETAIL_TYPE, type AccessDetail } from "../model/access-detail.ts";
import { isJsonObject, parseJson, type JsonObject, type JsonValue } from "../model/json.ts";

export const ACCESS_DETAIL_LIMITS = {
  /** Entries of one key: each request of a narrowed key is compared with each of them. */
  entries: 16,
  /** Names in one member of an entry. */
  names: 32,
  /** Ids of operations are the longest of the names. */
  nameChars: 320,
  /** Characters of the whole as JSON: they travel with every request, within the 16 KiB of a token. */
  chars: 4096,
} as const;

/** What is wrong, in words for who wrote it; quotes only names of members. */
export interface AccessDetailFault {
  readonly fault: string;
}

/** Those that narrow, in the order in which entries are written. */
const MEMBERS = ["services", "routes", "methods", "operations"] as const;
export type AccessDetailMember = (typeof MEMBERS)[number];
export const ACCESS_DETAIL_MEMBERS: readonly AccessDetailMember[] = MEMBERS;

/** Of a request to the token endpoint. */
export function parseAccessDetails(text: string): readonly AccessDetail[] | AccessDetailFault {
  if (text.length > ACCESS_DETAIL_LIMITS.chars) return tooLong();
  try {
    return readAccessDetails(parseJson(text, { maxDepth: 3 }));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { fault: error.message };
  }
}

/** Of claims and bodies that were read as JSON already. */
export function readAccessDetails(value: JsonValue): readonly AccessDetail[] | AccessDetailFault {
  if (!Array.isArray(value) || value.length === 0) return { fault: "not a list of entries" };
  if (value.length > ACCESS_DETAIL_LIMITS.entries) {
    return { fault: `more than ${ACCESS_DETAIL_LIMITS.entries} entries` };
  }
  const details: AccessDetail[] = [];
  for (const entry of value as readonly JsonValue[]) {
    const read = isJsonObject(entry) ? readEntry(entry) : { fault: "an entry is no object" };
    if ("fault" in read) return read;
    details.push(read);
  }
  return accessDetailChars(details) > ACCESS_DETAIL_LIMITS.chars
    ? tooLong()
    : Object.freeze(details);
}

/** How long they are as JSON. */
export function accessDetailChars(details: readonly AccessDetail[]): number {
  return JSON.stringify(details).length;
}

function readEntry(entry: JsonObject): AccessDetail | AccessDetailFault {
  if (entry["type"] !== ACCESS_DETAIL_TYPE) {
    return { fault: `an entry is not of type "${ACCESS_DETAIL_TYPE}"` };
  }
  const read: { type: AccessDetail["type"] } & Partial<
    Record<AccessDetailMember, readonly string[]>
  > = { type: ACCESS_DETAIL_TYPE };
  for (const [name, value] of Object.entries(entry)) {
    if (name === "type") continue;
    const member = MEMBERS.find((known) => known === name);
    if (member === undefined) {
      return { fault: `an entry has a member that is none of type, ${MEMBERS.join(", ")}` };
    }
    const names = readNames(value);
    if (names === undefined) {
      return {
        fault: `${member} is not a list of 1 to ${ACCESS_DETAIL_LIMITS.names} names, each once`,
      };
    }
    if (member === "methods" && !names.every((method) => METHOD.test(method))) {
      return { fault: "methods are written in capitals" };
    }
    read[member] = names;
  }
  return Object.freeze(read);
}

/** As they come in requests: they are compared, never converted. */
const METHOD = /^[A-Z]+$/;

function readNames(value: JsonValue | undefined): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  if (value.length > ACCESS_DETAIL_LIMITS.names) return undefined;
  const names = value as readonly JsonValue[];
  if (!names.every(isName) || new Set(names).size < names.length) return undefined;
  return Object.freeze([...names]);
}

function isName(value: JsonValue): value is string {
  return (
    typeof value === "string" && value !== "" && value.length <= ACCESS_DETAIL_LIMITS.nameChars
  );
}

function tooLong(): AccessDetailFault {
  return { fault: `longer than ${ACCESS_DETAIL_LIMITS.chars} characters` };
}
