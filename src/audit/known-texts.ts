/** Members of records whose value is one of few texts: name and value as bytes, made once. */
import { bytesOf, type Literal } from "./lines.ts";

const LIMITS = {
  /** Texts that are remembered; forgotten all at once when full, for callers choose hosts and addresses. */
  entries: 1024,
  /** Characters of a text that is worth remembering. */
  length: 256,
} as const;

export class KnownTexts {
  readonly #name: Literal;
  readonly #known = new Map<string, Literal>();

  /** `name` with what stands before and after it, as `,"host":`. */
  constructor(name: Literal) {
    this.#name = name;
  }

  /** The name and the value in quotes. */
  member(value: string): Literal {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const bytes = bytesOf((lines) => lines.raw(this.#name).quoted(value));
    if (this.#known.size >= LIMITS.entries) this.#known.clear();
    if (value.length <= LIMITS.length) this.#known.set(value, bytes);
    return bytes;
  }
}
