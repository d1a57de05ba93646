import assert from "node:assert/strict";
import { test } from "node:test";
import { replaceMarkedPart } from "./docs.ts";

const TEXT = "before\n<!-- bench:a -->\nold\n<!-- /bench:a -->\nafter\n";

test("replaceMarkedPart() replaces what stands between the marks and nothing else", () => {
  const once = replaceMarkedPart(TEXT, "a", "new $& text");
  assert.equal(once, "before\n<!-- bench:a -->\n\nnew $& text\n\n<!-- /bench:a -->\nafter\n");
  assert.equal(replaceMarkedPart(once, "a", "new $& text"), once);
});

test("replaceMarkedPart() throws when the marks are not there", () => {
  assert.throws(() => replaceMarkedPart(TEXT, "b", "new"), /no marks for b/);
});
