import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { FIELD, fieldName } from "./field-name.ts";

function look(text: string): ReturnType<typeof fieldName> {
  const buffer = Buffer.from(`<${text}>`, "latin1");
  return fieldName(buffer, 1, buffer.length - 1);
}

test("fieldName() gives the lower-case name and its role in any spelling, twice", () => {
  for (const text of ["Host", "host", "HOST", "hOsT", "HOST"]) {
    assert.equal(look(text)?.name, "host");
    assert.equal(look(text)?.role, FIELD.host);
  }
  assert.equal(look("x-Other_Name")?.name, "x-other_name");
  assert.equal(look("x-Other_Name")?.role, FIELD.other);
});

test("fieldName() refuses what is not a token, also when a token shares its slot", () => {
  for (const text of ["", " ", "a b", "a:", "\xe9", "a\0", "\x7f", '"a"', "(a)"]) {
    assert.equal(look(text), undefined, JSON.stringify(text));
  }
});

test("fieldName() never takes one name for another", () => {
  // Few letters and lengths, so that many names share a slot.
  const text = fc.string({
    unit: fc.constantFrom(..."aAbB-".split("")),
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(fc.array(text, { minLength: 20, maxLength: 60 }), (names) => {
      for (const name of names) assert.equal(look(name)?.name, name.toLowerCase());
    }),
  );
});

test("fieldName() keeps the names that matter when flooded with invented ones", () => {
  for (let index = 0; index < 20_000; index++) look(`x-${index.toString(36)}`);
  assert.equal(look("Content-Length")?.role, FIELD.contentLength);
  assert.equal(look("transfer-encoding")?.role, FIELD.transferEncoding);
});
