import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { decodeBase64url } from "./base64url.ts";

test("decodeBase64url() reads what was encoded", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const text = Buffer.from(bytes).toString("base64url");
      assert.deepEqual(decodeBase64url(text), Buffer.from(bytes));
    }),
  );
});

test("decodeBase64url() refuses every second spelling", () => {
  // The bytes of "YQ" are "a"; the last four bits of Q are unused and zero.
  for (const text of ["YQ==", "YR", "YQ ", " YQ", "Y Q", "Y", "Y\n", "a+b/", "YQ.", "é", "YQ\0"]) {
    assert.equal(decodeBase64url(text), undefined, JSON.stringify(text));
  }
});
