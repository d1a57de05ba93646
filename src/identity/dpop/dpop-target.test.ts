import assert from "node:assert/strict";
import { test } from "node:test";
import { isSameTarget } from "./dpop-target.ts";

const ORIGIN = "https://api.example.com";

test("isSameTarget() takes what RFC 3986 calls equivalent", () => {
  for (const [htu, url] of [
    [`${ORIGIN}/a`, `${ORIGIN}/a`],
    [`${ORIGIN}/a?b=c`, `${ORIGIN}/a`],
    [`${ORIGIN}/a#b`, `${ORIGIN}/a`],
    [`${ORIGIN}/a?b#c?d`, `${ORIGIN}/a`],
    [`${ORIGIN}?b`, `${ORIGIN}/`],
    [ORIGIN, `${ORIGIN}/`],
    ["HTTPS://API.Example.COM/a", `${ORIGIN}/a`],
    ["https://api.example.com:443/a", `${ORIGIN}/a`],
    ["http://api.example.com:80/a", "http://api.example.com/a"],
    ["https://api.example.com:8443/a", "https://api.example.com:8443/a"],
    ["https://[2001:DB8::1]/a", "https://[2001:db8::1]/a"],
    [`${ORIGIN}/%7Euser/%61`, `${ORIGIN}/~user/a`],
    [`${ORIGIN}/%c3%a9`, `${ORIGIN}/%C3%A9`],
    [`${ORIGIN}/a/./b/../c`, `${ORIGIN}/a/c`],
    [`${ORIGIN}//a//b?x`, `${ORIGIN}//a//b`],
    [`${ORIGIN}/a;v=1?x`, `${ORIGIN}/a;v=1`],
  ] as const) {
    assert.equal(isSameTarget(htu, url), true, `${htu} and ${url}`);
  }
});

test("isSameTarget() takes nothing else", () => {
  for (const [htu, url] of [
    [`${ORIGIN}/a`, `${ORIGIN}/b`],
    [`${ORIGIN}/A`, `${ORIGIN}/a`],
    [`${ORIGIN}/a/`, `${ORIGIN}/a`],
    [`${ORIGIN}//a`, `${ORIGIN}/a`],
    [`${ORIGIN}/a`, `${ORIGIN}//a`],
    [`${ORIGIN}/%2a`, `${ORIGIN}/*`],
    [`${ORIGIN}/a%2Fb`, `${ORIGIN}/a/b`],
    [`${ORIGIN}/%2e%2e/a`, `${ORIGIN}/a`],
    [`${ORIGIN}/%zz`, `${ORIGIN}/a`],
    [`${ORIGIN}\\a`, `${ORIGIN}/a`],
    [`${ORIGIN}/a b`, `${ORIGIN}/a`],
    [` ${ORIGIN}/a`, `${ORIGIN}/a`],
    [`${ORIGIN}/a\n`, `${ORIGIN}/a`],
    [`${ORIGIN}/a?b\n`, `${ORIGIN}/a`],
    ["http://api.example.com/a", `${ORIGIN}/a`],
    ["https://api.example.com:80/a", `${ORIGIN}/a`],
    ["http://api.example.com:443/a", "http://api.example.com/a"],
    ["https://api.example.com:/a", `${ORIGIN}/a`],
    ["https://api.example.com:0443/a", `${ORIGIN}/a`],
    ["https://api.example.com./a", `${ORIGIN}/a`],
    ["https://api.example.com@evil.example/a", `${ORIGIN}/a`],
    ["https://me@api.example.com/a", `${ORIGIN}/a`],
    ["https://evil.example/https://api.example.com/a", `${ORIGIN}/a`],
    ["wss://api.example.com/a", `${ORIGIN}/a`],
    ["//api.example.com/a", `${ORIGIN}/a`],
    ["/a", `${ORIGIN}/a`],
    ["https:///a", `${ORIGIN}/a`],
    ["", `${ORIGIN}/a`],
    // Two that are no URLs are not equal for that.
    ["https://api.example.com/%zz?", "https://api.example.com/%zz"],
    ["nonsense?", "nonsense"],
    ["https:///a?", "https:///a"],
  ] as const) {
    assert.equal(isSameTarget(htu, url), false, `${htu} and ${url}`);
  }
});
