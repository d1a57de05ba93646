/**
 * What was asked for where a key was to be issued, and what was issued. Nothing in a key is secret, and
 * its text is not in it.
 */
import type { RecordedKey } from "../model/issued-keys.ts";
import type { RecordedIssue } from "../model/records.ts";
import type { Lines } from "./lines.ts";

export function writeIssue(lines: Lines, issue: RecordedIssue): void {
  writeMapping(lines, issue);
}

export function writeKey(lines: Lines, key: RecordedKey): void {
  writeMapping(lines, key);
}

/** Canonical: names in the order of their code units; what is absent, or an empty list, is left out. */
function writeMapping(lines: Lines, mapping: object): void {
  lines.text("{");
  let first = true;
  for (const [name, value] of Object.entries(mapping).toSorted(byName)) {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    lines
      .text(first ? "" : ",")
      .quoted(name)
      .text(":");
    writeValue(lines, value);
    first = false;
  }
  lines.text("}");
}

function writeValue(lines: Lines, value: unknown): void {
  if (typeof value === "string") lines.quoted(value);
  else if (typeof value === "number") lines.number(value);
  else if (typeof value === "boolean") lines.text(String(value));
  else if (Array.isArray(value)) writeList(lines, value);
  else writeMapping(lines, value as object);
}

function writeList(lines: Lines, values: readonly unknown[]): void {
  lines.text("[");
  for (const [index, value] of values.entries()) {
    if (index > 0) lines.text(",");
    writeValue(lines, value);
  }
  lines.text("]");
}

function byName([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1;
}
