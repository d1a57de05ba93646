import assert from "node:assert/strict";
import { test } from "node:test";
import { csvLine } from "./csv.ts";

test("csvLine() gives a spreadsheet nothing to run", () => {
  for (const text of [
    "=1+1",
    "+1",
    "-1",
    "@a",
    "\t=1",
    " =1",
    "\uFEFF=1",
    "＝1",
    "\r=1",
    "%0",
    "|x",
  ]) {
    assert.match(csvLine([text]), /^"?'/, JSON.stringify(text));
  }
  assert.equal(
    csvLine(["a", 'b"c', "d,e", "f\ng", "Zoë 漢字 😀", 1.5]),
    'a,"b""c","d,e","f\ng",Zoë 漢字 😀,1.5\r\n',
  );
  assert.equal(csvLine(["\ud800"]), "\uFFFD\r\n");
});

test("csvLine() writes out what a terminal would obey", () => {
  assert.equal(
    csvLine(["a\u001b[2Jb\u009b31m\u202ec", undefined, -1]),
    "a\\u001b[2Jb\\u009b31m\\u202ec,,-1\r\n",
  );
  assert.equal(csvLine(["\u001b=1+1", "a\tb"]), "'\\u001b=1+1,a\tb\r\n");
});

test("csvLine() writes out what a reader would not see, or see turned around", () => {
  for (const unit of [
    "\u061c",
    "\u200b",
    "\u200f",
    "\u202a",
    "\u202e",
    "\u2060",
    "\u2069",
    "\ufeff",
  ]) {
    const code = unit.charCodeAt(0).toString(16).padStart(4, "0");
    assert.equal(csvLine([`a${unit}b`]), `a\\u${code}b\r\n`);
  }
});
