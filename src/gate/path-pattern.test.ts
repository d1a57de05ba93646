import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePathPattern } from "./path-pattern.ts";

test("parsePathPattern() gives the segments of canonical paths", () => {
  assert.deepEqual(parsePathPattern("/"), { segments: [{ kind: "literal", text: "" }] });
  assert.deepEqual(parsePathPattern("/a/{id}/*"), {
    segments: [{ kind: "literal", text: "a" }, { kind: "param", name: "id" }, { kind: "rest" }],
  });
  for (const path of ["/a/", "/a.b/c-d_e~f", "/%C3%A9/@:!$&'()+,=", "/%25", "/a;v=1", "/{a}/{b}"]) {
    assert.ok("segments" in parsePathPattern(path), path);
  }
});

test("parsePathPattern() refuses what no canonical path equals, and says what would be right", () => {
  const cases: [path: string, remedy: RegExp][] = [
    ["", /begins with/],
    ["a", /begins with/],
    ["/a//b", /empty segments/],
    ["/*/a", /last segment/],
    ["/a*", /whole last segment/],
    ["/a/{x}/{x}", /\{x\} stands twice/],
    ["/a/x{y}", /whole segment/],
    ["/a/{1x}", /whole segment/],
    ["/a/}", /whole segment/],
    ["/a/./b", /canonical form/],
    ["/a/..", /canonical form, without/],
    ["/a/..;x/b", /begins with/],
    ["/é", /RFC 3986/],
    ["/a b", /RFC 3986/],
    ["/a?b", /RFC 3986/],
    ["/a#b", /a raw #/],
    ["/a\\b", /raw backslash/],
    ["/%c3%a9", /canonical form, here "%C3%A9"/],
    ["/%4", /two hex digits/],
    ["/a%2Fb", /encoded slash/],
    ["/a%5Cb", /encoded backslash/],
    ["/a%00", /encoded NUL/],
    ["/a%2541", /escape of an escape/],
    ["/%FF", /UTF-8/],
    ["/{__proto__}", /parameter that is a whole segment/],
    ["/%41", /canonical form, here "A"/],
    ["/%2E%2E", /dot segment/],
    [`/${"a/".repeat(64)}`, /at most 64/],
  ];
  for (const [path, remedy] of cases) {
    const parsed = parsePathPattern(path);
    assert.match("remedy" in parsed ? parsed.remedy : "accepted", remedy, path);
  }
});
