import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { decodeQueryPart, editQuery, encodeQueryPart } from "./query.ts";

const edit = (
  query: string | undefined,
  gone: readonly string[],
  appended: readonly (readonly [string, string])[] = [],
): string | undefined | null => editQuery(query, { gone: new Set(gone), appended });

test("editQuery() removes by decoded name and leaves the rest as it was", () => {
  assert.equal(edit("a=1&b=2&a=3&c", ["a"]), "b=2&c");
  assert.equal(edit("%61=1&b=%32&a+b=3", ["a"]), "b=%32&a+b=3");
  assert.equal(edit("a+b=1&a%20b=2&x=a+b", ["a b"]), "x=a+b");
  assert.equal(edit("&&b=&=x&a", ["a"]), "&&b=&=x");
  assert.equal(edit("a=1", ["a"]), undefined);
  assert.equal(edit(undefined, ["a"]), undefined);
  assert.equal(edit("A=1", ["a"]), "A=1");
});

test("editQuery() appends encoded pairs behind what stays", () => {
  assert.equal(edit(undefined, [], [["a", "x&b=1#é\r\n"]]), "a=x%26b%3D1%23%C3%A9%0D%0A");
  assert.equal(edit("a=0&z=1", ["a"], [["a", "'()*!"]]), "z=1&a=%27%28%29%2A%21");
  assert.equal(edit("a=0", [], [["a b", "+"]]), "a=0&a%20b=%2B");
});

test("editQuery() gives null for what can be read in two ways", () => {
  assert.equal(edit("%=1", ["a"]), null);
  assert.equal(edit("%ff=1", ["a"]), null);
  assert.equal(edit("x=1;a=2", ["a"]), null);
  assert.equal(edit("x=1;%61=2", ["a"]), null);
  assert.equal(edit("x=1;b=2", ["a"]), "x=1;b=2");
});

/** Queries with a little of everything that makes them hard. */
const queries = fc
  .array(
    fc.tuple(
      fc.constantFrom("a", "%61", "b", "a+b", "a%20b", "é".normalize(), "%C3%A9", "", "aa", "A"),
      fc.constantFrom("", "=", "=1", "=%32", "=a", "=a=b", "=;"),
    ),
    { maxLength: 6 },
  )
  .map((pairs) => pairs.map((pair) => pair.join("")).join("&"));

test("editQuery() takes away every pair of the name and no other", () => {
  fc.assert(
    fc.property(queries, fc.constantFrom("a", "b", "a b", "é", "aa"), (query, name) => {
      const edited = edit(query, [name]);
      if (edited === null) return;
      const before = [...new URLSearchParams(query)].filter(([key]) => key !== name);
      assert.deepEqual([...new URLSearchParams(edited ?? "")], before);
    }),
    { numRuns: 500 },
  );
});

test("editQuery() writes pairs that a reader decodes to what was given", () => {
  const text = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(queries, text, text, (query, name, value) => {
      const edited = edit(query, [name], [[name, value]]);
      if (edited === null) return;
      assert.match(edited ?? "", /^[!"$-~é]*$/);
      assert.deepEqual(new URLSearchParams(edited).getAll(name), [value]);
    }),
  );
});

test("decodeQueryPart() undoes encodeQueryPart()", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      assert.equal(decodeQueryPart(encodeQueryPart(text)), text);
    }),
  );
});
