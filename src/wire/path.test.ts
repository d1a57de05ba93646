import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { canonicalPath, isPathFault, type PathOptions, splitTarget } from "./path.ts";

const ALLOW: PathOptions = { pathParameters: "allow" };

function canonical(path: string, options?: PathOptions): string {
  const result = canonicalPath(path, options);
  return isPathFault(result) ? result.reason : result.path;
}

const CANONICAL: readonly [why: string, from: string, to: string][] = [
  ["the root", "/", "/"],
  ["a plain path", "/a/B/c.json", "/a/B/c.json"],
  ["a slash at the end", "/a/", "/a/"],
  ["sub-delims, : and @", "/a:b@c/!$&'()*+,=~_-", "/a:b@c/!$&'()*+,=~_-"],
  ["escapes of unreserved characters", "/%61%7E%2Db%5Fc%2e", "/a~-b_c."],
  ["the case of kept escapes", "/%c3%a9%3f%3a", "/%C3%A9%3F%3A"],
  ["an escape of % alone", "/100%25", "/100%25"],
  ["an escape of % before one digit", "/%25a/g", "/%25a/g"],
  ["single dots", "/a/./b/.", "/a/b/"],
  ["double dots", "/a/b/../c/..", "/a/"],
  ["double dots above the root", "/../../a", "/a"],
  ["dots within names", "/.a/..b/c../...", "/.a/..b/c../..."],
  ["runs of slashes", "//a///b//", "/a/b/"],
  ["dot segments before slashes are merged", "/a//../b", "/a/b"],
  ["an escaped # or ? stays", "/a%23b%3Fc", "/a%23b%3Fc"],
];

for (const [why, from, to] of CANONICAL) {
  test(`canonicalPath() normalises ${why}`, () => {
    assert.equal(canonical(from), to);
    assert.equal(canonical(to), to);
  });
}

const REFUSED: readonly [why: string, path: string][] = [
  ["an empty path", ""],
  ["a relative path", "a/b"],
  ["an encoded slash", "/a%2Fb"],
  ["an encoded slash in lower case", "/a%2f.."],
  ["an encoded backslash", "/a%5cb"],
  ["an encoded NUL", "/a%00"],
  ["an escape of an escape", "/a%252e"],
  ["an escape of an escape that is itself escaped", "/a%25%32%65"],
  ["a raw backslash", "/a\\..\\b"],
  ["a raw #", "/a#b"],
  ["a raw ?", "/a?b"],
  ["non-ASCII", "/\xe9"],
  ["non-latin1", "/\u2025"],
  ["a space", "/a b"],
  ["a control byte", "/a\tb"],
  ["brackets outside RFC 3986", "/a[b]"],
  ["invalid UTF-8", "/%ff"],
  ["overlong UTF-8", "/%c0%ae%c0%ae"],
  ["a surrogate in UTF-8", "/%ed%a0%80"],
  ["UTF-8 cut in two by a character", "/%c3a%a9"],
  ["a % at the end", "/a%"],
  ["a % with one digit", "/a%2"],
  ["a % without digits", "/%zz"],
  ["an encoded double dot", "/a/%2e%2e/b"],
  ["a half encoded double dot", "/a/.%2E/b"],
  ["an encoded single dot", "/a/%2e/b"],
  ["an encoded dot beside a raw one", "/../%2e"],
  ["a segment that begins ..;", "/a/..;/b"],
  ["a segment that begins .;", "/a/.;x=y/b"],
  ["a segment that begins ..; after decoding", "/a/%2e.;/b"],
  ["a segment that begins with dots and an encoded ;", "/a/..%3b/b"],
  ["a path parameter", "/a;b=c"],
];

for (const [why, path] of REFUSED) {
  test(`canonicalPath() refuses ${why} as ambiguous-path`, () => {
    assert.equal(canonical(path), "ambiguous-path");
  });
}

test("canonicalPath() lets path parameters through when allowed, but not after dots", () => {
  assert.equal(canonical("/a;b=%63/d", ALLOW), "/a;b=c/d");
  assert.equal(canonical("/a/..;/b", ALLOW), "ambiguous-path");
  assert.equal(canonical("/.;a", ALLOW), "ambiguous-path");
});

const hostilePath = fc
  .array(
    fc.constantFrom(
      ..."/ // . .. ; ..; %2e %2E %2f %5c %25 %32 %65 %61 %c3%a9 %ff %3b %00 a Z ~ : # \\ % 2 e".split(
        " ",
      ),
    ),
    { maxLength: 14 },
  )
  .map((parts) => `/${parts.join("")}`);

test("canonicalPath() is idempotent and leaves nothing that reads in two ways", () => {
  const options = fc.constantFrom<PathOptions>(ALLOW, { pathParameters: "refuse" });
  fc.assert(
    fc.property(hostilePath, options, (path, choice) => {
      const result = canonicalPath(path, choice);
      if (isPathFault(result)) return;
      assert.equal(canonical(result.path, choice), result.path);
      assert.match(result.path, /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*$/);
      assert.doesNotMatch(result.path, /\/\/|\/\.{1,2}(?:\/|;|$)|%(?:2F|5C|00|2E|61)/);
    }),
    { numRuns: 3000 },
  );
});

test("canonicalPath() resolves what a URL parser resolves, where neither refuses", () => {
  fc.assert(
    fc.property(hostilePath, (path) => {
      const result = canonicalPath(path, ALLOW);
      if (isPathFault(result) || path.includes("//")) return;
      const url = new URL(`http://a${path}`);
      assert.equal(canonical(url.pathname, ALLOW), result.path);
    }),
    { numRuns: 2000 },
  );
});

test("splitTarget() splits origin, absolute and asterisk form", () => {
  assert.deepEqual(splitTarget("/a/%2e?b=c?d", "h"), {
    form: "origin",
    path: "/a/%2e",
    query: "b=c?d",
  });
  assert.deepEqual(splitTarget("/a", "h"), { form: "origin", path: "/a", query: undefined });
  assert.deepEqual(splitTarget("/a?", "h"), { form: "origin", path: "/a", query: "" });
  assert.deepEqual(splitTarget("//h/a", "h"), { form: "origin", path: "//h/a", query: undefined });
  assert.deepEqual(splitTarget("*", "h"), { form: "asterisk", path: "*", query: undefined });
  const absolute = { form: "absolute", path: "/a", query: "b" };
  assert.deepEqual(splitTarget("http://H:8080/a?b", "h:8080"), absolute);
  assert.deepEqual(splitTarget("HTTPS://h/a?b", "H"), absolute);
  assert.deepEqual(splitTarget("http://h?b", "h"), { form: "absolute", path: "/", query: "b" });
  assert.deepEqual(splitTarget("http://h", "h"), { form: "absolute", path: "/", query: undefined });
});

const BAD_TARGETS: readonly [why: string, reason: string, target: string, host?: string][] = [
  ["an authority that is not the Host", "invalid-host", "http://a/", "b"],
  ["an authority with another port", "invalid-host", "http://a:80/", "a"],
  ["user info", "invalid-host", "http://b@a/", "a"],
  ["user info that looks like the Host", "invalid-host", "http://a:80@b/", "a:80"],
  ["a backslash after the authority", "invalid-host", "http://a\\b/", "a"],
  ["an empty authority", "invalid-host", "http:///a", "a"],
  ["an absolute form without Host", "invalid-host", "http://a/"],
  ["another scheme", "malformed-request", "ftp://a/", "a"],
  ["a relative target", "malformed-request", "a/b", "a"],
  ["an empty target", "malformed-request", "", "a"],
  ["# in the query", "ambiguous-path", "/a?b#c", "a"],
  ["a space in the query", "ambiguous-path", "/a?b c", "a"],
  ["non-ASCII in the query", "ambiguous-path", "/a?\xe9", "a"],
];

for (const [why, reason, target, host] of BAD_TARGETS) {
  test(`splitTarget() refuses ${why} as ${reason}`, () => {
    const result = splitTarget(target, host);
    assert.equal(isPathFault(result) ? result.reason : "accepted", reason);
  });
}
