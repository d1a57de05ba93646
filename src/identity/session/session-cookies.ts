/**
 * The cookies of a session (RFC 6265bis): one, or several where the text is larger than browsers keep in one.
 *
 * A text in parts goes by turns under two sets of names, so that a browser that has taken half of an answer still
 * has all of the former. Each part says how many there are and of which text: parts of two texts never make
 * one. Refuses names that stand there twice, and parts that make no whole.
 */
import { hash } from "node:crypto";
import { type Cookie, parseCookies } from "../../wire/cookies.ts";
import { PLAIN_COOKIES, SECURE_COOKIES } from "../../wire/own-cookies.ts";

export interface SessionCookieOptions {
  /** Name of the authenticator. */
  readonly name: string;
  readonly sameSite: "lax" | "strict";
  /** Over plain http, without the protection of `__Host-`. */
  readonly insecure: boolean;
}

/** What a request carries under the names of one session. */
export interface CarriedSession {
  /** Whole texts; usually one. */
  readonly texts: readonly string[];
  /** Names of the cookies, so that they can be taken away. */
  readonly names: readonly string[];
  /** Why it cannot be read; no text then. */
  readonly fault: string | undefined;
}

export interface SessionCookies {
  /** Undefined where the request carries none. */
  read(header: string): CarriedSession | undefined;
  /** `set-cookie` lines that keep the text for so long and take away what is carried besides. Undefined: too large. */
  write(text: string, options: WriteOptions): readonly string[] | undefined;
  /** … that take away all that is carried. */
  clear(carried: readonly string[]): readonly string[];
}

export interface WriteOptions {
  readonly maxAgeMs: number;
  /** Names that the request carried. */
  readonly carried: readonly string[];
}

const LIMITS = {
  /** Of a value: browsers keep 4096 bytes of a cookie with its name (RFC 6265 section 6.1). */
  partChars: 3800,
  /** Five parts are 19 KB of the 32 KiB that a listener takes as a head, and leave room for other cookies. */
  parts: 5,
} as const;

/** Of the whole text, at the head of each part: tells which belong together. Not a seal; the text has its own. */
const MARK_CHARS = 8;
const PART = /^([2-9])\.([A-Za-z0-9_-]{8})\.(.+)$/;

export function cookieName(name: string, insecure: boolean): string {
  return `${insecure ? PLAIN_COOKIES : SECURE_COOKIES}${name}`;
}

export function createSessionCookies(options: SessionCookieOptions): SessionCookies {
  const base = cookieName(options.name, options.insecure);
  const attributes = `; Path=/; HttpOnly${options.insecure ? "" : "; Secure"}; SameSite=${
    options.sameSite === "lax" ? "Lax" : "Strict"
  }`;
  const sets = ["a", "b"].map((set) =>
    Array.from({ length: LIMITS.parts }, (_, index) => `${base}.${set}${index + 1}`),
  );
  const [first = [], second = []] = sets;
  const own = new Set([base, ...first, ...second]);

  function read(header: string): CarriedSession | undefined {
    // Most requests of other people's pages carry none, and parsing all pairs costs more than looking.
    if (!header.includes(base)) return undefined;
    const found = parseCookies(header).filter(({ name }) => own.has(name));
    if (found.length === 0) return undefined;
    const names = [...new Set(found.map(({ name }) => name))];
    const refuse = (fault: string): CarriedSession => ({ texts: [], names, fault });
    if (names.length < found.length) return refuse("a cookie of the session stands there twice");
    const byName = new Map(found.map(({ name, value }: Cookie) => [name, value]));
    const single = byName.get(base);
    const texts = single === undefined ? [] : [single];
    for (const set of sets) {
      const text = join(set, byName);
      if (text !== undefined) texts.push(text);
    }
    if (texts.length === 0) return refuse("parts of the session are missing, or of two versions");
    return { texts, names, fault: undefined };
  }

  function write(text: string, { maxAgeMs, carried }: WriteOptions): readonly string[] | undefined {
    const maxAge = Math.max(1, Math.floor(maxAgeMs / 1000));
    const line = (name: string, value: string): string =>
      `${name}=${value}; Max-Age=${maxAge}${attributes}`;
    const lines: string[] = [];
    const names = new Set<string>();
    const set = (name: string, value: string): void => {
      names.add(name);
      lines.push(line(name, value));
    };
    if (text.length <= LIMITS.partChars) {
      set(base, text);
    } else {
      const parts = Math.ceil(text.length / LIMITS.partChars);
      if (parts > LIMITS.parts) return undefined;
      const other = carried.some((name) => first.includes(name)) ? second : first;
      const head = `${parts}.${hash("sha256", text, "base64url").slice(0, MARK_CHARS)}.`;
      for (let index = 0; index < parts; index++) {
        const at = index * LIMITS.partChars;
        set(other[index] ?? base, head + text.slice(at, at + LIMITS.partChars));
      }
    }
    // After what is new, so that a browser never holds neither.
    return [...lines, ...clear(carried.filter((name) => !names.has(name)))];
  }

  function clear(carried: readonly string[]): readonly string[] {
    return carried
      .filter((name) => own.has(name))
      .map((name) => `${name}=; Max-Age=0${attributes}`);
  }

  return { read, write, clear };
}

/** The text of one set of parts; undefined where they make no whole. */
function join(names: readonly string[], byName: ReadonlyMap<string, string>): string | undefined {
  const [, count = "0", mark = ""] = PART.exec(byName.get(names[0] ?? "") ?? "") ?? [];
  let text = "";
  for (let index = 0; index < Number(count); index++) {
    const part = PART.exec(byName.get(names[index] ?? "") ?? "");
    if (part === null || part[1] !== count || part[2] !== mark) return undefined;
    text += part[3];
  }
  if (text === "") return undefined;
  return hash("sha256", text, "base64url").slice(0, MARK_CHARS) === mark ? text : undefined;
}
