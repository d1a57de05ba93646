import assert from "node:assert/strict";
import { test } from "node:test";
import { nonceAfter, readNonce } from "./server-nonce.ts";

test("readNonce() takes what RFC 9449 allows, and ignores all else", () => {
  for (const good of ["a", "!#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~", "x".repeat(256)]) {
    assert.equal(readNonce(good), good);
  }
  const bad = [
    "",
    "x".repeat(257),
    "x".repeat(12_000),
    'a"b',
    "a\\b",
    "a b",
    "a\tb",
    "é",
    "\u007f",
  ];
  for (const text of [...bad, undefined, ["a"]]) assert.equal(readNonce(text), undefined);
});

test("nonceAfter() keeps the last good one, until a request with it is refused for its form", () => {
  const after = (status: number, said?: string) => nonceAfter("held", { status, said });
  assert.equal(after(200), "held");
  assert.equal(after(401), "held");
  assert.equal(after(200, "next"), "next");
  assert.equal(after(200, "x".repeat(12_000)), "held");
  for (const status of [400, 431]) {
    assert.equal(after(status), undefined);
    assert.equal(after(status, "a b"), undefined);
    assert.equal(after(status, "next"), "next");
  }
});
