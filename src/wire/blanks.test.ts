import { strict as assert } from "node:assert";
import test from "node:test";
import { trimBlanks } from "./blanks.ts";

test("trimBlanks() takes SP and HTAB off both ends and nothing else", () => {
  assert.equal(trimBlanks(" \t a b\t "), "a b");
  assert.equal(trimBlanks(" \t "), "");
  assert.equal(trimBlanks(""), "");
  assert.equal(trimBlanks("\xa0a\xa0"), "\xa0a\xa0");
});
