/** Messages that are bent here and there, for both directions. */
import * as fc from "fast-check";

/** Bytes on which parsers differ. */
const HOSTILE = '\0\t\n\x0b\r "#%+,-/0159:;=?ABEF_aceh\x7f\x80\xff'.split("");

export interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: string;
}

/** None, or a few; `oddLines` are among what is put in. */
export function editsWith(oddLines: readonly string[]): fc.Arbitrary<readonly Edit[]> {
  const edit: fc.Arbitrary<Edit> = fc.record({
    at: fc.nat(400),
    remove: fc.constantFrom(0, 0, 1, 1, 2, 7),
    insert: fc.oneof(
      fc.constant(""),
      fc.constantFrom(...HOSTILE),
      fc.constantFrom("\r\n", "\r\n\r\n", "\n\n", "\r\n ", "0\r\n\r\n", ...oddLines),
    ),
  });
  return fc.oneof(
    fc.constant([]),
    fc.array(edit, { maxLength: 3 }),
    fc.array(edit, { maxLength: 1 }),
  );
}

export function bend(text: string, edits: readonly Edit[]): string {
  let bent = text;
  for (const { at, remove, insert } of edits) {
    const position = at % (bent.length + 1);
    bent = bent.slice(0, position) + insert + bent.slice(position + remove);
  }
  return bent;
}
