import assert from "node:assert/strict";
import { test } from "node:test";
import { plain, span, table } from "./table.ts";

void test("table() puts columns under each other, without blanks at the ends of lines", () => {
  assert.equal(
    table([
      ["a", "bb", "c"],
      ["aaa", ""],
      ["", "b", ""],
    ]),
    "a    bb  c\naaa\n     b\n",
  );
  assert.equal(table([]), "");
});

void test("plain() lets nobody move the cursor, turn the text around or begin a line", () => {
  for (const text of ["\u001b[2J", "a\nready  yes", "\u202eabc", "\u2028", "\r", "\u0000"]) {
    assert.doesNotMatch(plain(text), /[\u0000-\u001f\u007f\u2028\u202e]/); // oxlint-disable-line no-control-regex -- what is looked for
  }
  for (const unit of "\u061c\u200b\u200f\u202a\u2060\u2065\u2069\ufeff") {
    assert.equal(plain(`a${unit}b`), "a\uFFFDb");
  }
  assert.equal(plain("größe 大"), "größe 大");
});

void test("span() names the two largest units", () => {
  for (const [seconds, text] of [
    [0, "0s"],
    [59.9, "59s"],
    [61, "1m 1s"],
    [3600, "1h"],
    [90_061, "1d 1h"],
    [-5, "0s"],
  ] as const) {
    assert.equal(span(seconds), text);
  }
});
