import assert from "node:assert/strict";
import { test } from "node:test";
import { makeApiKey } from "../../crypto/api-key-text.ts";
import { shown } from "./span-attributes.ts";

test("shown() cuts API keys to their prefix, also where the text is too long for a span", () => {
  const key = makeApiKey("sp_", (bytes) => new Uint8Array(bytes).fill(7));
  assert.equal(shown(`/files/${key}`), "/files/sp_*");
  for (let before = 900; before < 1100; before += 7) {
    const text = shown(`/${"a".repeat(before)}/${key}`) ?? "";
    assert.ok(!text.includes(key.slice(3, 12)), String(before));
  }
  assert.equal(shown(undefined), undefined);
});
