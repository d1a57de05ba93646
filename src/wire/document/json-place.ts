/**
 * Where a value stands in a JSON text that has been read already. The reader keeps no places, since
 * files of JSON are the large ones and hardly ever have a fault: this looks again, for the one path.
 */
import type { Path } from "./place.ts";

/**
 * Offset of what stands at `path`: of its key where it has one; of the closest parent where it is
 * absent. The text must be valid JSON.
 */
export function locateJson(text: string, path: Path): number {
  let at = skipSpace(text, 0);
  let found = at;
  for (const step of path) {
    const child = text.charAt(at) === "{" ? member(text, at, String(step)) : item(text, at, step);
    if (child === undefined) break;
    found = child.start;
    at = child.value;
  }
  return found;
}

interface Child {
  /** Of the key, or of the item. */
  readonly start: number;
  readonly value: number;
}

function member(text: string, object: number, name: string): Child | undefined {
  let at = skipSpace(text, object + 1);
  while (text.charAt(at) === '"') {
    const end = endOfString(text, at);
    const value = skipSpace(text, skipSpace(text, end) + 1);
    if (JSON.parse(text.slice(at, end)) === name) return { start: at, value };
    at = next(text, value);
  }
  return undefined;
}

function item(text: string, array: number, step: string | number): Child | undefined {
  if (text.charAt(array) !== "[") return undefined;
  let at = skipSpace(text, array + 1);
  for (let index = 0; text.charAt(at) !== "]"; index++) {
    if (index === Number(step)) return { start: at, value: at };
    const after = next(text, at);
    if (after === at) return undefined;
    at = after;
  }
  return undefined;
}

/** Where the next member or item begins, or the bracket that ends them. */
function next(text: string, value: number): number {
  const end = skipSpace(text, endOfValue(text, value));
  return text.charAt(end) === "," ? skipSpace(text, end + 1) : end;
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  for (; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"') at = endOfString(text, at) - 1;
    else if (char === "{" || char === "[") depth += 1;
    else if (char === "}" || char === "]") {
      if (depth === 0) return at;
      depth -= 1;
    } else if (char === "," && depth === 0) return at;
    if (depth === 0 && (char === '"' || char === "}" || char === "]")) return at + 1;
  }
  return at;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === "\\") at += 1;
    else if (char === '"') return at + 1;
  }
  return text.length;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (" \n\r\t".includes(text.charAt(at)) && at < text.length) at += 1;
  return at;
}
