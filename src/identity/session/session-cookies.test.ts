import assert from "node:assert/strict";
import { test } from "node:test";
import { createSessionCookies } from "./session-cookies.ts";

const BASE = "__Host-sallyport-people";
const cookies = createSessionCookies({ name: "people", sameSite: "lax", insecure: false });
const PART = 3800;

/** Cookie field of a browser that was given these lines. */
const fieldOf = (lines: readonly string[]): string =>
  lines.map((line) => line.split(";")[0]).join("; ");

function written(text: string, carried: readonly string[] = []): readonly string[] {
  return cookies.write(text, { maxAgeMs: 60_000, carried }) ?? assert.fail("too large");
}

test("write() and read() take a text of every size up to five parts, and no larger one", () => {
  for (const [chars, parts] of [
    [1, 1],
    [PART, 1],
    [PART + 1, 2],
    [2 * PART, 2],
    [5 * PART, 5],
  ] as const) {
    const text = "x".repeat(chars);
    const lines = written(text);
    assert.equal(lines.length, parts);
    assert.deepEqual(cookies.read(fieldOf(lines))?.texts, [text]);
    for (const line of lines) assert.ok((line.split(";")[0] ?? "").length <= 4096);
  }
  const large = "x".repeat(5 * PART + 1);
  assert.equal(cookies.write(large, { maxAgeMs: 60_000, carried: [] }), undefined);
});

test("read() takes parts only as one whole: none missing, exchanged, changed or of another text", () => {
  const [one = "", two = ""] = written(`${"a".repeat(PART)}b`).map(
    (line) => line.split(";")[0] ?? "",
  );
  const [, other = ""] = written(`${"b".repeat(PART)}c`).map((line) => line.split(";")[0] ?? "");
  const three = written(`${"a".repeat(2 * PART)}b`).map((line) => line.split(";")[0] ?? "");
  for (const field of [
    one,
    two,
    `${one}; ${other}`,
    `${one.replace(".a1=", ".a2=")}; ${two.replace(".a2=", ".a1=")}`,
    `${one}; ${two.slice(0, -1)}c`,
    `${one}; ${three[1]}`,
    `${BASE}.a1=2.AAAAAAAA.`,
    `${BASE}.a1=`,
  ]) {
    const found = cookies.read(field);
    assert.deepEqual(found?.texts, [], field.slice(0, 60));
    assert.match(found?.fault ?? "", /missing, or of two versions/);
  }
  assert.match(cookies.read(`${one}; ${two}; ${two}`)?.fault ?? "", /twice/);
  assert.equal(cookies.read(`${one}; ${two}`)?.fault, undefined);
});

test("read() finds nothing in cookies of others", () => {
  for (const field of ["", "a=1", `${BASE}x=1`, `x${BASE}=1`, `a=${BASE}`]) {
    assert.equal(cookies.read(field), undefined, field);
  }
});
