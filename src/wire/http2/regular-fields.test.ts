import { strict as assert } from "node:assert";
import test from "node:test";
import { isFieldValue } from "./regular-fields.ts";

test("isFieldValue() takes tabs inside and what is no control byte, at any length", () => {
  for (let code = 0; code < 0x200; code++) {
    const sign = String.fromCharCode(code);
    const good = code === 0x09 || (code >= 0x20 && code !== 0x7f && code <= 0xff);
    // Values below and above the length from which on they are looked at in another way.
    for (const before of ["a", "a".repeat(29), "a".repeat(30), "a".repeat(500)]) {
      assert.equal(isFieldValue(`${before}${sign}b`), good, `${code} behind ${before.length}`);
    }
    const blank = code === 0x09 || code === 0x20;
    assert.equal(isFieldValue(sign), good && !blank, String(code));
    assert.equal(isFieldValue(`${sign}a`), good && !blank, String(code));
    assert.equal(isFieldValue(`a${sign}`), good && !blank, String(code));
  }
  assert.equal(isFieldValue(""), true);
});
