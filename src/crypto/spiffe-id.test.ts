import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import * as fc from "fast-check";
import { corpora } from "../../test/corpora.ts";
import { isTrustDomain, parseSpiffeId } from "./spiffe-id.ts";

interface Vector {
  readonly in: string;
  readonly valid: boolean;
  readonly trustDomain?: string;
  readonly path?: string;
}

const folder = corpora("spiffe");

test(
  "parseSpiffeId() agrees with every vector of the corpus",
  {
    skip: folder === undefined && "the corpus is not here",
  },
  async (context) => {
    const vectors = JSON.parse(
      readFileSync(join(folder ?? "", "spiffe-id-vectors.json"), "utf8"),
    ) as Vector[];
    assert.equal(vectors.length, 535);
    for (const vector of vectors) {
      await context.test(JSON.stringify(vector.in), () => {
        const expected = vector.valid
          ? { trustDomain: vector.trustDomain, path: vector.path }
          : undefined;
        assert.deepEqual(parseSpiffeId(vector.in), expected);
      });
    }
  },
);

const REFUSED: readonly (readonly [string, string])[] = [
  ["another case of the scheme", "SPIFFE://example.org/a"],
  ["one slash", "spiffe:/example.org/a"],
  ["no trust domain", "spiffe:///a"],
  ["a port", "spiffe://example.org:443/a"],
  ["a user name", "spiffe://me@example.org/a"],
  ["a trust domain in capitals", "spiffe://Example.org/a"],
  ["a query", "spiffe://example.org/a?b"],
  ["a fragment", "spiffe://example.org/a#b"],
  ["percent-encoding", "spiffe://example.org/%61"],
  ["an empty segment", "spiffe://example.org/a//b"],
  ["a slash at the end", "spiffe://example.org/a/"],
  ["a slash and nothing else", "spiffe://example.org/"],
  ["a dot segment", "spiffe://example.org/./a"],
  ["two dots", "spiffe://example.org/a/.."],
  ["a line feed at the end", "spiffe://example.org/a\n"],
  ["a line feed in the trust domain", "spiffe://example.org\n/a"],
  ["a trust domain of 256 characters", `spiffe://${"a".repeat(256)}/a`],
  ["an ID of 2049 characters", `spiffe://example.org/${"a".repeat(2049 - 21)}`],
];

for (const [what, text] of REFUSED) {
  test(`parseSpiffeId() refuses ${what}`, () => {
    assert.equal(parseSpiffeId(text), undefined);
  });
}

test("parseSpiffeId() takes the longest that there may be", () => {
  const longest = `spiffe://${"a".repeat(255)}/${"b".repeat(2048 - 9 - 255 - 1)}`;
  assert.equal(longest.length, 2048);
  assert.notEqual(parseSpiffeId(longest), undefined);
  assert.equal(isTrustDomain("a".repeat(256)), false);
});

test("parseSpiffeId() gives back every letter of what it takes", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (domain, path) => {
      const text = `spiffe://${domain}/${path}`;
      const parsed = parseSpiffeId(text);
      if (parsed !== undefined) {
        assert.equal(`spiffe://${parsed.trustDomain}${parsed.path}`, text);
        // What is taken means the same to a URL parser: nothing in it is decoded or resolved.
        assert.equal(new URL(text).pathname, parsed.path);
      }
    }),
  );
});
