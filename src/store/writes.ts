/**
 * What may be committed, checked before it goes to an engine: known collections, bounded ids and
 * bodies, each document once, and only values that JSON gives back as they were. All of it is the
 * caller's mistake, hence TypeError.
 */
import type { JsonValue } from "../model/json.ts";
import { COLLECTIONS, type Collection, type Write } from "../model/store.ts";
import { STORE_LIMITS } from "./limits.ts";

/** A write as engines take it. */
export interface CheckedWrite {
  readonly collection: Collection;
  readonly id: string;
  /** JSON text; null removes. */
  readonly body: string | null;
  readonly expiresMs: number | null;
  /** A number, 0 for absent, or null for whatever it is. */
  readonly expect: number | null;
}

/** What stands for `absent` among expected numbers; the first commit has number 1. */
export const ABSENT = 0;

/** Throws TypeError. */
export function checkWrites(writes: readonly Write[]): CheckedWrite[] {
  const { length } = writes;
  if (length < 1 || length > STORE_LIMITS.writes) {
    throw new TypeError(`a commit has 1 to ${STORE_LIMITS.writes} writes, not ${length}`);
  }
  const seen = new Set<string>();
  return writes.map((write) => {
    checkKey(write.collection, write.id);
    const key = `${write.collection}/${write.id}`;
    if (seen.has(key)) throw new TypeError("a commit writes one document twice");
    seen.add(key);
    return checkWrite(write);
  });
}

/** Throws TypeError. */
export function checkKey(collection: Collection, id: string): void {
  if (!COLLECTIONS.includes(collection)) throw new TypeError(`no such collection: ${collection}`);
  // A NUL cannot be kept by Postgres, and half a surrogate pair by neither.
  if (id === "" || id.length > STORE_LIMITS.id || id.includes("\0") || !id.isWellFormed()) {
    throw new TypeError(`an id has 1 to ${STORE_LIMITS.id} characters, none of them NUL`);
  }
}

/** Throws TypeError. */
export function checkLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > STORE_LIMITS.list) {
    throw new TypeError(`a limit is an integer from 1 to ${STORE_LIMITS.list}`);
  }
}

function checkWrite({ collection, id, body, expiresMs, expect }: Write): CheckedWrite {
  if (expiresMs !== undefined) checkInteger(expiresMs, "expiresMs");
  if (expect !== undefined && expect !== "absent") checkInteger(expect, "expect");
  return {
    collection,
    id,
    body: body === undefined ? null : encodeBody(body),
    expiresMs: body === undefined ? null : (expiresMs ?? null),
    expect: expect === "absent" ? ABSENT : (expect ?? null),
  };
}

function checkInteger(value: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new TypeError(`${name} is a non-negative integer`);
  }
}

function encodeBody(body: JsonValue): string {
  checkValue(body, 0);
  const text = JSON.stringify(body);
  if (text.length > STORE_LIMITS.body) {
    throw new TypeError(`a body has at most ${STORE_LIMITS.body} characters as JSON`);
  }
  return text;
}

/** JSON.stringify would write NaN as null, drop functions, and fail on a bigint. */
function checkValue(value: JsonValue | undefined, depth: number): void {
  if (value === null || typeof value === "boolean") return;
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new TypeError("a body holds a lone surrogate");
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError("a body holds a number that JSON has not");
  } else if (typeof value === "object") {
    if (depth >= STORE_LIMITS.depth) throw new TypeError("a body is nested too deeply");
    for (const [name, member] of Object.entries(value)) {
      if (!name.isWellFormed()) throw new TypeError("a body holds a lone surrogate");
      // Members that are undefined are left out; an array would hold null in their place.
      if (member !== undefined || Array.isArray(value)) checkValue(member, depth + 1);
    }
  } else {
    throw new TypeError(`a body holds a ${typeof value}`);
  }
}
