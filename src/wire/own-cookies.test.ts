import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseCookies } from "./cookies.ts";
import { keptPrivate, setsOwnCookie, withoutOwnCookies } from "./own-cookies.ts";

const CUT: readonly (readonly [string, string | undefined])[] = [
  ["a=1; __Host-sallyport-people=x; b=2", "a=1; b=2"],
  ["__Host-sallyport-people=x", undefined],
  ["__Host-sallyport-people.a1=x; __Host-sallyport-people.a2=y; c=3", "c=3"],
  ["sallyport-people=x; a=1", "a=1"],
  // Some readers of cookies do not mind letter case, and some take a pair without a value.
  ["__HOST-SALLYPORT-people=x; a=1", "a=1"],
  ["__Host-sallyport-people; a=1", "a=1"],
  ["a=__Host-sallyport-people", "a=__Host-sallyport-people"],
  ["theme=sallyport-blue", "theme=sallyport-blue"],
];
for (const [sent, left] of CUT) {
  test(`withoutOwnCookies() leaves ${left ?? "nothing"} of ${sent}`, () => {
    assert.equal(withoutOwnCookies(sent), left);
  });
}

test("withoutOwnCookies() leaves no cookie of ours and all others, whatever is sent", () => {
  const name = fc.oneof(
    fc.constantFrom("__Host-sallyport-a", "sallyport-b", "__host-SALLYPORT-c", "a", "b"),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string({ maxLength: 5 }))), (pairs) => {
      const header = pairs.map(([key, value]) => `${key}=${value}`).join("; ");
      const isOwn = (cookie: { readonly name: string }): boolean =>
        /^(?:__host-)?sallyport-/i.test(cookie.name);
      const before = parseCookies(header);
      const after = parseCookies(withoutOwnCookies(header) ?? "");
      assert.deepEqual(after.filter(isOwn), []);
      const kept = before.filter((cookie) => !isOwn(cookie) && cookie.name !== "");
      assert.deepEqual(
        after.filter((cookie) => cookie.name !== ""),
        kept,
      );
    }),
  );
});

const SET: readonly (readonly [string, boolean])[] = [
  ["__Host-sallyport-people=x; Path=/; Secure", true],
  ["sallyport-people=x", true],
  ["  __host-SALLYPORT-people = x", true],
  // A cookie without a name comes back as its value, which reads like a named one.
  ["=__Host-sallyport-people=x", true],
  ["= = sallyport-people=x", true],
  ["__Host-sallyport-people", true],
  ["sid=__Host-sallyport-people", false],
  ["sallyports=x", false],
  ["my-sallyport-x=1", false],
];
for (const [line, own] of SET) {
  test(`setsOwnCookie() is ${own} for ${line}`, () => {
    assert.equal(setsOwnCookie(line), own);
  });
}

const CACHING: readonly (readonly [readonly string[], string])[] = [
  [[], "private"],
  [["public, max-age=60"], "private, max-age=60"],
  [["PUBLIC", "s-maxage=10, max-age=5"], "private, max-age=5"],
  [["no-store"], "no-store"],
  [["private, max-age=5"], "private, max-age=5"],
  // The qualified form keeps single fields from caches and not the answer.
  [['private="x-a, x-b"'], 'private, private="x-a, x-b"'],
  [['no-cache="set-cookie, x", public'], 'private, no-cache="set-cookie, x"'],
];
for (const [values, expected] of CACHING) {
  test(`keptPrivate() makes ${JSON.stringify(values)} ${expected}`, () => {
    const fields = ["etag", '"1"', ...values.flatMap((value) => ["cache-control", value])];
    assert.deepEqual(keptPrivate(fields), ["etag", '"1"', "cache-control", expected]);
  });
}
