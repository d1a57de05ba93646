import { strict as assert } from "node:assert";
import test from "node:test";
import { H2_ERROR, h2ErrorName, PREFACE } from "./codes.ts";

test("h2ErrorName() names every code, and an unknown one by its number", () => {
  for (const [member, code] of Object.entries(H2_ERROR)) {
    // RFC 9113 writes HTTP_1_1_REQUIRED where ours says http11Required.
    assert.equal(h2ErrorName(code).replaceAll("_", "").toLowerCase(), member.toLowerCase());
  }
  assert.equal(h2ErrorName(14), "0xe");
  assert.equal(h2ErrorName(0xffff_ffff), "0xffffffff");
});

test("PREFACE is the 24 bytes of RFC 9113 section 3.4", () => {
  const hex = "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a";
  assert.equal(PREFACE.toString("hex"), hex);
});
