/**
 * One `Forwarded` field line as RFC 7239 section 4 has it: elements with commas between them, each of
 * pairs with semicolons between them.
 *
 * It refuses everything else. A caller writes the left end of what a proxy appends to, on one line:
 * an open quote there must never swallow what the proxy wrote behind it, so a line is read from its
 * beginning and as a whole, or not at all.
 */
import { isToken } from "./token.ts";

/** The parameters that count; names are read in any case, values are unquoted. */
export interface ForwardedElement {
  readonly for: string | undefined;
  readonly proto: string | undefined;
  readonly host: string | undefined;
}

/** `qdtext` and `quoted-pair` of RFC 9110 section 5.6.4. */
const QUOTED = /"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)"/y;
const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const BLANKS = /[ \t]*/y;

/** The elements of one line, at most `max`; undefined where it is not valid or has more. */
export function parseForwarded(line: string, max: number): ForwardedElement[] | undefined {
  const reader = new Reader(line);
  const elements: ForwardedElement[] = [];
  do {
    const element = elements.length < max ? readElement(reader) : undefined;
    if (element === undefined) return undefined;
    elements.push(element);
  } while (reader.separator(","));
  return reader.done ? elements : undefined;
}

function readElement(reader: Reader): ForwardedElement | undefined {
  const pairs = new Map<string, string>();
  do {
    const name = reader.token()?.toLowerCase();
    if (name === undefined || !reader.sign("=")) return undefined;
    const value = reader.token() ?? reader.quoted();
    // Section 4: each parameter at most once in an element.
    if (value === undefined || pairs.has(name)) return undefined;
    pairs.set(name, value);
  } while (reader.separator(";"));
  return { for: pairs.get("for"), proto: pairs.get("proto"), host: pairs.get("host") };
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get done(): boolean {
    return this.#at === this.#text.length;
  }

  token(): string | undefined {
    const found = this.#match(TOKEN)?.[0];
    return found !== undefined && isToken(found) ? found : undefined;
  }

  quoted(): string | undefined {
    return this.#match(QUOTED)?.[1]?.replace(/\\(.)/g, "$1");
  }

  sign(sign: string): boolean {
    if (this.#text.charAt(this.#at) !== sign) return false;
    this.#at += 1;
    return true;
  }

  /** The sign with blanks around it; nothing is taken where it does not stand. */
  separator(sign: string): boolean {
    const before = this.#at;
    this.#match(BLANKS);
    if (!this.sign(sign)) {
      this.#at = before;
      return false;
    }
    this.#match(BLANKS);
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match;
  }
}
