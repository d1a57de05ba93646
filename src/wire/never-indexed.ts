/**
 * Which fields of a list a peer wants never indexed, so that they go on the same way (RFC 7541 section
 * 6.2.3): nobody behind us is to put them into a table, whatever their names.
 *
 * The mark lies beside the list, by its names: lists are rewritten on the way through the house, and
 * hardly any has one. As long as no peer has asked, each step costs one comparison.
 */
import type { Fields } from "../model/http.ts";

const NONE: readonly string[] = Object.freeze([]);

const marks = new WeakMap<Fields, readonly string[]>();
let marked = false;

/** Marks the fields of these lower-case names in this very list. */
export function markNeverIndexed(fields: Fields, names: readonly string[]): void {
  marked = true;
  marks.set(fields, names);
}

/** The names that are marked in this very list. */
export function neverIndexedIn(fields: Fields): readonly string[] {
  return marked ? (marks.get(fields) ?? NONE) : NONE;
}

/** What is marked in `from` is marked in `to`, which is made of it. Gives `to`. */
export function keepNeverIndexed<List extends Fields>(from: Fields, to: List): List {
  const names = neverIndexedIn(from);
  if (names.length > 0) markNeverIndexed(to, names);
  return to;
}
