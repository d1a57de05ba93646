/**
 * Fields that are too long for a record: cut, with the length and the keyed hash of the whole, so
 * that a record says that it does not hold all, and a text can still be compared with the whole.
 */
import type { Lines } from "./lines.ts";
import type { HashedKind, ValueHash } from "./value-hash.ts";

interface Cut {
  readonly key: string;
  readonly bytes: number;
  readonly hash: string;
}

export interface CutField {
  /** Name of the member, as `truncated` calls it. */
  readonly key: string;
  readonly kind: HashedKind;
  /** Most characters. */
  readonly limit: number;
}

/** The cuts of one record. */
export class Cuts {
  readonly #hash: ValueHash;
  #cuts: Cut[] = [];

  constructor(hash: ValueHash) {
    this.#hash = hash;
  }

  /** Forgets those of the record before. */
  begin(): void {
    if (this.#cuts.length > 0) this.#cuts = [];
  }

  /** What is kept of `value`. `whole` is what is measured and hashed, where that is another text. */
  keep(value: string, field: CutField, whole: string = value): string {
    if (value.length <= field.limit) return value;
    this.#cuts.push({
      key: field.key,
      bytes: Buffer.byteLength(whole, "utf8"),
      hash: this.#hash(field.kind, field.key, whole),
    });
    return cutAt(value, field.limit);
  }

  /** The `truncated` member with a comma before it, or nothing. */
  write(lines: Lines): void {
    if (this.#cuts.length === 0) return;
    lines.text(',"truncated":{');
    const sorted = this.#cuts.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    for (const [index, cut] of sorted.entries()) {
      if (index > 0) lines.text(",");
      lines.quoted(cut.key).text(':{"bytes":').number(cut.bytes).text(',"hash":');
      lines.quoted(cut.hash).text("}");
    }
    lines.text("}");
  }
}

/** Never between the halves of a surrogate pair. */
function cutAt(text: string, limit: number): string {
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit);
}
