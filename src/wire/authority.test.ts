import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { parseAuthority } from "./authority.ts";

const VALID: readonly [text: string, host: string, port: number | undefined][] = [
  ["a", "a", undefined],
  ["API.Example.com", "api.example.com", undefined],
  ["api.example.com:8443", "api.example.com", 8443],
  ["my_service:80", "my_service", 80],
  ["_dmarc.example.com", "_dmarc.example.com", undefined],
  ["xn--mnchen-3ya.de", "xn--mnchen-3ya.de", undefined],
  ["10.0.0.1:65535", "10.0.0.1", 65_535],
  ["1.example", "1.example", undefined],
  ["[::1]", "[::1]", undefined],
  ["[2001:DB8:0:0::1]:443", "[2001:db8::1]", 443],
  ["[::ffff:10.0.0.1]", "[::ffff:a00:1]", undefined],
  ["a".repeat(63), "a".repeat(63), undefined],
];

for (const [text, host, port] of VALID) {
  test(`parseAuthority() reads ${text}`, () => {
    const canonical = port === undefined ? host : `${host}:${port}`;
    const expected = { host, port, text: canonical };
    assert.deepEqual(parseAuthority(text), expected);
    assert.deepEqual(parseAuthority(text), expected, "remembered");
    assert.deepEqual(parseAuthority(canonical), expected);
  });
}

const INVALID = [
  "",
  ":80",
  "a:",
  "a:0",
  "a:080",
  "a:65536",
  "a:99999",
  "a:+80",
  "a:8 0",
  "a:80:80",
  "a:http",
  "a ",
  " a",
  "a b",
  "a,b",
  "u@a",
  "u:p@a",
  "a/b",
  "a?b",
  "a#b",
  "a\\b",
  "a%2eb",
  "a=b",
  "a;b",
  "a'b",
  "\xe9.example",
  "\u212a.example",
  "a.",
  "a..b",
  ".a",
  ".",
  "-a",
  "a-",
  "a.-b",
  "a".repeat(64),
  `${"a.".repeat(127)}ab`,
  "127.1",
  "0x7f.1",
  "0x7f000001",
  "2130706433",
  "010.0.0.1",
  "256.0.0.1",
  "1.2.3.4.5",
  "a.1",
  "[]",
  "[::1",
  "::1",
  "[::1]80",
  "[::1]a",
  "[::1%25eth0]",
  "[fe80::1%eth0]",
  "[v1.a]",
  "[10.0.0.1]",
  "[::g]",
  "[::1]:",
];

for (const text of INVALID) {
  test(`parseAuthority() refuses ${JSON.stringify(text)}`, () => {
    assert.equal(parseAuthority(text), undefined);
  });
}

test("parseAuthority() is idempotent for whatever it takes", () => {
  const text = fc.string({ unit: fc.constantFrom(..."aZ09.-_:[]%@ f".split("")), maxLength: 20 });
  fc.assert(
    fc.property(text, (candidate) => {
      const authority = parseAuthority(candidate);
      if (authority === undefined) return;
      assert.deepEqual(parseAuthority(authority.text), authority);
      assert.equal(new URL(`ws://${candidate}/`).hostname, authority.host);
    }),
    { numRuns: 3000 },
  );
});
