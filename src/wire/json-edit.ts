/**
 * Edits a JSON text by JSON Pointer and leaves everything else as it was written: the order of members,
 * numbers of any size and precision, escapes, and the white space within what no edit goes into.
 *
 * The text is read strictly first (model/json.ts): a document in which a name is repeated would be
 * edited in one reading and used in another. Members are found by comparing names, so no name reaches
 * a prototype. An edit that meets a value where it needs an object fails; nothing is overwritten on
 * the way to a place.
 */
import { parseJsonBytes } from "../model/json.ts";
import type { JsonPointer } from "./json-pointer.ts";

export interface JsonEdit {
  /** First: what stands at the one place moves to the other. Absent: nothing happens. */
  readonly rename: readonly { readonly from: JsonPointer; readonly to: JsonPointer }[];
  /** Then: what stands there goes. */
  readonly remove: readonly JsonPointer[];
  /** Last: the JSON text that is to stand there; objects on the way are made. */
  readonly set: readonly { readonly at: JsonPointer; readonly text: string }[];
}

export interface JsonEditFault {
  /** For the operator; holds nothing of the document. */
  readonly fault: string;
}

const LIMITS = {
  /** Arrays and objects around a value; documents of APIs stay far below. */
  depth: 64,
} as const;

/** The edited text, or why there is none. */
export function editJson(
  bytes: Uint8Array,
  edit: JsonEdit,
): { readonly text: string } | JsonEditFault {
  try {
    parseJsonBytes(bytes, { maxDepth: LIMITS.depth });
  } catch (error) {
    return { fault: error instanceof SyntaxError ? error.message : "the text is not JSON" };
  }
  const root = new Value(Buffer.from(bytes).toString("utf8").trim());
  for (const { from, to } of edit.rename) {
    if (!move(root, from, to)) return BLOCKED;
  }
  for (const pointer of edit.remove) take(root, pointer);
  for (const { at, text } of edit.set) {
    if (!put(root, at, new Value(text))) return BLOCKED;
  }
  return { text: root.toText() };
}

/**
 * Says what stands at a place as it was written; undefined where nothing does. For a text that has been
 * read strictly: a number's digits are lost once it is a double.
 */
export function openJsonText(text: string): (pointer: JsonPointer) => string | undefined {
  const root = new Value(text.trim());
  return (pointer) => find(root, pointer)?.toText();
}

const BLOCKED: JsonEditFault = {
  fault: "a value stands where an edit needs an object, or an array has no such place",
};

interface Member {
  readonly name: string;
  /** As it was written, with its quotes. */
  readonly key: string;
  readonly value: Value;
}

/** One value: its text, until an edit goes into it. */
class Value {
  #text: string | undefined;
  #members: Member[] | undefined;
  #items: Value[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** Undefined where it is not an object. The list may be changed. */
  get members(): Member[] | undefined {
    if (this.#text?.startsWith("{") === true) {
      this.#members = readMembers(this.#text);
      this.#text = undefined;
    }
    return this.#members;
  }

  /** Undefined where it is not an array. The list may be changed. */
  get items(): Value[] | undefined {
    if (this.#text?.startsWith("[") === true) {
      this.#items = readItems(this.#text);
      this.#text = undefined;
    }
    return this.#items;
  }

  become(other: Value): void {
    this.#text = other.#text;
    this.#members = other.#members;
    this.#items = other.#items;
  }

  toText(): string {
    if (this.#members !== undefined) {
      return `{${this.#members.map(({ key, value }) => `${key}:${value.toText()}`).join(",")}}`;
    }
    if (this.#items !== undefined) return `[${this.#items.map((item) => item.toText()).join(",")}]`;
    return this.#text ?? "null";
  }
}

/** False where something is in the way of the new place. */
function move(root: Value, from: JsonPointer, to: JsonPointer): boolean {
  const members = siblings(root, from, to);
  const [oldName, newName] = [from.at(-1), to.at(-1)];
  if (members !== undefined && oldName !== undefined && newName !== undefined) {
    // Within one object it keeps its place among the members.
    if (members.some(({ name }) => name === oldName)) rename(members, oldName, newName);
    return true;
  }
  const value = take(root, from);
  return value === undefined || put(root, to, value);
}

/** The members among which both places stand, where that is so. */
function siblings(root: Value, from: JsonPointer, to: JsonPointer): Member[] | undefined {
  if (from.length !== to.length) return undefined;
  if (from.slice(0, -1).some((token, index) => token !== to[index])) return undefined;
  return find(root, from.slice(0, -1))?.members;
}

function rename(members: Member[], oldName: string, newName: string): void {
  const kept = members.filter(({ name }) => name !== newName || name === oldName);
  const renamed = kept.map((member) =>
    member.name === oldName
      ? { name: newName, key: JSON.stringify(newName), value: member.value }
      : member,
  );
  members.splice(0, members.length, ...renamed);
}

function find(root: Value, pointer: JsonPointer): Value | undefined {
  let at: Value | undefined = root;
  for (const token of pointer) {
    const members: Member[] | undefined = at.members;
    at =
      members === undefined
        ? at.items?.[indexOf(token)]
        : members.find(({ name }) => name === token)?.value;
    if (at === undefined) return undefined;
  }
  return at;
}

/** Takes away what stands there, and gives it; undefined where nothing does. */
function take(root: Value, pointer: JsonPointer): Value | undefined {
  const parent = find(root, pointer.slice(0, -1));
  const token = pointer.at(-1);
  if (parent === undefined || token === undefined) return undefined;
  const { members } = parent;
  if (members !== undefined) {
    const index = members.findIndex(({ name }) => name === token);
    return index < 0 ? undefined : members.splice(index, 1)[0]?.value;
  }
  const { items } = parent;
  const index = indexOf(token);
  return items?.[index] === undefined ? undefined : items.splice(index, 1)[0];
}

/** Makes the objects on the way. False where something else is in it. */
function put(root: Value, pointer: JsonPointer, value: Value): boolean {
  let at = root;
  for (const [depth, token] of pointer.entries()) {
    const last = depth === pointer.length - 1;
    const next = child(at, token, last);
    if (next === undefined) return false;
    at = next;
  }
  at.become(value);
  return true;
}

function child(parent: Value, token: string, last: boolean): Value | undefined {
  const { members } = parent;
  if (members !== undefined) {
    const known = members.find(({ name }) => name === token);
    if (known !== undefined) return known.value;
    const made = new Value("{}");
    members.push({ name: token, key: JSON.stringify(token), value: made });
    return made;
  }
  const { items } = parent;
  if (items === undefined) return undefined;
  const known = items[indexOf(token)];
  if (known !== undefined) return known;
  // RFC 6901 section 4: `-` is the place behind the last item.
  if (!last || (token !== "-" && indexOf(token) !== items.length)) return undefined;
  const made = new Value("null");
  items.push(made);
  return made;
}

/** Section 4: digits without a zero in front; -1 where the token is no index. */
function indexOf(token: string): number {
  return /^(?:0|[1-9][0-9]{0,9})$/.test(token) ? Number(token) : -1;
}

// Below, texts are valid JSON: the strict reader has been over them.

function readMembers(text: string): Member[] {
  const members: Member[] = [];
  let at = skipSpace(text, 1);
  while (text[at] !== "}") {
    const keyEnd = endOfString(text, at);
    const key = text.slice(at, keyEnd);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    const name = JSON.parse(key) as string;
    members.push({ name, key, value: new Value(text.slice(start, end)) });
    at = nextElement(text, end);
  }
  return members;
}

function readItems(text: string): Value[] {
  const items: Value[] = [];
  let at = skipSpace(text, 1);
  while (text[at] !== "]") {
    const end = endOfValue(text, at);
    items.push(new Value(text.slice(at, end)));
    at = nextElement(text, end);
  }
  return items;
}

function nextElement(text: string, end: number): number {
  const at = skipSpace(text, end);
  return text[at] === "," ? skipSpace(text, at + 1) : at;
}

function endOfValue(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  if (first !== "{" && first !== "[") {
    let at = start;
    while (at < text.length && !ENDS_SCALAR.has(text.charAt(at))) at += 1;
    return at;
  }
  let depth = 0;
  let at = start;
  do {
    const character = text[at];
    if (character === '"') {
      at = endOfString(text, at);
      continue;
    }
    if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") depth -= 1;
    at += 1;
  } while (depth > 0);
  return at;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

const ENDS_SCALAR: ReadonlySet<string> = new Set([",", "}", "]", " ", "\n", "\r", "\t"]);

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at += 1;
  return at;
}
