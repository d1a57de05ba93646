import { strict as assert } from "node:assert";
import test from "node:test";
import { assertFieldValue, checkFieldName, checkFieldValue } from "./field-text.ts";

test("checkFieldValue() takes tabs inside and what is no control byte, at any length", () => {
  for (let code = 0; code < 0x200; code++) {
    const sign = String.fromCharCode(code);
    const good = code === 0x09 || (code >= 0x20 && code !== 0x7f && code <= 0xff);
    // Values below and above the length from which on they are looked at in another way.
    for (const before of ["a", "a".repeat(29), "a".repeat(30), "a".repeat(500)]) {
      assert.equal(checkFieldValue(`${before}${sign}b`), good, `${code} behind ${before.length}`);
    }
    const blank = code === 0x09 || code === 0x20;
    assert.equal(checkFieldValue(sign), good && !blank, String(code));
    assert.equal(checkFieldValue(`${sign}a`), good && !blank, String(code));
    assert.equal(checkFieldValue(`a${sign}`), good && !blank, String(code));
  }
  assert.equal(checkFieldValue(""), true);
});

test("checkFieldValue() takes visible text with single blanks inside and nothing else", () => {
  for (const value of ["", "a", "a b", "a\tb", "\xe9", "payments; q=1"]) {
    assert.equal(checkFieldValue(value), true, value);
  }
  for (const value of [" a", "a ", "\ta", " ", "a\x7fb", "\u0100"]) {
    assert.equal(checkFieldValue(value), false, JSON.stringify(value));
  }
});

test("checkFieldName() takes lower-case tokens", () => {
  assert.equal(checkFieldName("x-team_1"), true);
  for (const name of ["", "X-Team", "x team", "x:team", "x-t\xe9am"]) {
    assert.equal(checkFieldName(name), false, name);
  }
});

test("assertFieldValue() throws for what would be more than a value", () => {
  for (const sign of ["\r", "\n", "\0", "\u010a"]) {
    assert.throws(() => assertFieldValue(`a${sign}b`), TypeError);
  }
  assertFieldValue("a\tb \xe9");
});
