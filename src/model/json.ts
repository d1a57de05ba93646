/**
 * JSON from outside (RFC 8259), read strictly: what two readers could understand differently is
 * refused.
 *
 * Refuses what RFC 8259 refuses, and also: repeated member names (readers disagree about which one
 * counts), lone surrogates, a byte order mark, invalid UTF-8, numbers beyond a double, and nesting
 * beyond a bound. Objects have no prototype, so no member name can reach one (`__proto__` is a name
 * like any other). Integers that a double cannot hold exactly are bigints, never rounded.
 *
 * Own code because `JSON.parse` can do none of that, and because its error messages quote the text,
 * which may be a credential. Ours name a position only.
 */
export type JsonValue = null | boolean | number | bigint | string | JsonArray | JsonObject;
export type JsonArray = readonly JsonValue[];
/** Has no prototype. */
export interface JsonObject {
  readonly [name: string]: JsonValue | undefined;
}

export interface JsonLimits {
  /** Most arrays and objects around a value. Default 32. */
  readonly maxDepth?: number;
  /** Most values, those in arrays and objects included: time and memory go by them. Default: any number. */
  readonly maxValues?: number;
}

const LIMITS = {
  /** Claims and key sets nest some four deep; the reader is recursive, so a bound is needed. */
  maxDepth: 32,
  /** No 64-bit integer has more than 19 digits; turning endless digits into a bigint costs their square. */
  maxIntegerChars: 40,
} as const;

/** Parses text. Throws SyntaxError that names the rule and the position, never the content. */
export function parseJson(text: string, limits: JsonLimits = {}): JsonValue {
  if (!text.isWellFormed()) throw new SyntaxError("JSON text holds a lone surrogate");
  const { maxDepth = LIMITS.maxDepth, maxValues = Number.POSITIVE_INFINITY } = limits;
  return new Reader(text, { maxDepth, maxValues }).document();
}

/** Parses UTF-8. Throws SyntaxError as `parseJson` does. */
export function parseJsonBytes(bytes: Uint8Array, limits: JsonLimits = {}): JsonValue {
  return parseJson(decodeUtf8(bytes), limits);
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// ignoreBOM keeps the mark in the text, where the grammar then refuses it.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new SyntaxError("JSON text is not valid UTF-8");
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const HEX4 = /^[0-9a-fA-F]{4}$/;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);
const LITERALS: ReadonlyMap<string, readonly [text: string, value: null | boolean]> = new Map([
  ["t", ["true", true]],
  ["f", ["false", false]],
  ["n", ["null", null]],
]);

class Reader {
  readonly #text: string;
  readonly #maxDepth: number;
  /** Values that may still come. */
  #room: number;
  #at = 0;

  constructor(text: string, { maxDepth, maxValues }: Required<JsonLimits>) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#room = maxValues;
  }

  document(): JsonValue {
    this.#skipSpace();
    const value = this.#value(0);
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail("text after the value");
    return value;
  }

  #value(depth: number): JsonValue {
    if (--this.#room < 0) this.#fail("too many values");
    const first = this.#text.charAt(this.#at);
    if (first === '"') return this.#string();
    if (first === "{") return this.#object(depth + 1);
    if (first === "[") return this.#array(depth + 1);
    const literal = LITERALS.get(first);
    return literal === undefined ? this.#number() : this.#literal(literal[0], literal[1]);
  }

  #object(depth: number): JsonObject {
    this.#enter(depth);
    const members: Record<string, JsonValue> = Object.create(null);
    if (this.#take("}")) return members;
    do {
      this.#skipSpace();
      if (this.#text.charAt(this.#at) !== '"') this.#fail("a member name is missing");
      const name = this.#string();
      if (name in members) this.#fail("a member name is repeated");
      this.#skipSpace();
      if (!this.#take(":")) this.#fail("':' is missing");
      this.#skipSpace();
      members[name] = this.#value(depth);
      this.#skipSpace();
    } while (this.#take(","));
    if (!this.#take("}")) this.#fail("'}' is missing");
    return members;
  }

  #array(depth: number): JsonArray {
    this.#enter(depth);
    const items: JsonValue[] = [];
    if (this.#take("]")) return items;
    do {
      this.#skipSpace();
      items.push(this.#value(depth));
      this.#skipSpace();
    } while (this.#take(","));
    if (!this.#take("]")) this.#fail("']' is missing");
    return items;
  }

  #enter(depth: number): void {
    if (depth > this.#maxDepth) this.#fail("nested too deeply");
    this.#at += 1;
    this.#skipSpace();
  }

  #string(): string {
    const text = this.#text;
    const start = (this.#at += 1);
    for (let index = start; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code === 0x22) {
        this.#at = index + 1;
        return text.slice(start, index);
      }
      if (code === 0x5c) return this.#escapedString(start, index);
      if (code < 0x20) this.#fail("a control character in a string");
    }
    return this.#fail("a string has no end");
  }

  /** The rest of a string from its first backslash on. */
  #escapedString(start: number, firstEscape: number): string {
    const text = this.#text;
    let value = text.slice(start, firstEscape);
    for (let index = firstEscape; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code < 0x20) this.#fail("a control character in a string");
      if (code === 0x22) {
        this.#at = index + 1;
        if (!value.isWellFormed()) this.#fail("a lone surrogate in a string");
        return value;
      }
      if (code !== 0x5c) {
        value += text.charAt(index);
        continue;
      }
      index += 1;
      const escape = text.charAt(index);
      if (escape === "u") {
        const hex = text.slice(index + 1, index + 5);
        if (!HEX4.test(hex)) this.#fail("an invalid escape in a string");
        value += String.fromCharCode(Number.parseInt(hex, 16));
        index += 4;
      } else {
        value += ESCAPES.get(escape) ?? this.#fail("an invalid escape in a string");
      }
    }
    return this.#fail("a string has no end");
  }

  #number(): number | bigint {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) return this.#fail("a value is missing or not valid");
    const [text, fraction, exponent] = match;
    this.#at += text.length;
    const value = Number(text);
    if (fraction === undefined && exponent === undefined && !Number.isSafeInteger(value)) {
      if (text.length > LIMITS.maxIntegerChars) this.#fail("an integer has too many digits");
      return BigInt(text);
    }
    if (!Number.isFinite(value)) this.#fail("a number is out of range");
    return value;
  }

  #literal(text: string, value: null | boolean): null | boolean {
    if (!this.#text.startsWith(text, this.#at)) this.#fail("a value is missing or not valid");
    this.#at += text.length;
    return value;
  }

  #take(char: string): boolean {
    if (this.#text.charAt(this.#at) !== char) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #fail(rule: string): never {
    throw new SyntaxError(`JSON: ${rule} (at character ${this.#at})`);
  }
}
