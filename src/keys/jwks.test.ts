import assert from "node:assert/strict";
import { test } from "node:test";
import { compactVerify, createLocalJWKSet } from "jose";
import { generateSigningKey } from "../crypto/signing-key.ts";
import { signJws } from "../crypto/sign-jws.ts";
import type { KeyUse, PublishedKey } from "../model/signing.ts";
import { answerKeySet } from "./jwks.ts";

const PATH = "/.well-known/sallyport/jwks.json";

function published(use: KeyUse) {
  const key = generateSigningKey("ES256");
  const { kid, algorithm, jwk } = key;
  const times = { activeMs: 0, retiredMs: 1, removedMs: 2 };
  const shown: PublishedKey = { kid, use, algorithm, jwk, ...times };
  return { key, shown };
}

const field = (fields: readonly string[], name: string): string | undefined =>
  fields[fields.indexOf(name) + 1];

test("answerKeySet() gives a set with which jose verifies tokens, and nothing of another use", async () => {
  const [token, assertion, feed] = [
    published("tokens"),
    published("assertions"),
    published("feed"),
  ];
  const keys = [token.shown, assertion.shown, feed.shown];
  for (const [path, mine, others] of [
    [PATH, token, [assertion, feed]],
    ["/.well-known/sallyport/assertions.json", assertion, [token, feed]],
  ] as const) {
    const answer = answerKeySet({ method: "GET", path }, keys);
    assert.equal(answer?.status, 200);
    assert.equal(field(answer.fields, "content-type"), "application/jwk-set+json");
    assert.match(field(answer.fields, "cache-control") ?? "", /^public, max-age=60$/);
    const set = createLocalJWKSet(JSON.parse(answer.body));
    await compactVerify(signJws(mine.key, { typ: "x" }, {}), set);
    for (const other of others) {
      await assert.rejects(compactVerify(signJws(other.key, { typ: "x" }, {}), set));
    }
  }
});

test("answerKeySet() gives the same bytes and the same tag for the same keys in any order", () => {
  const keys = [published("tokens").shown, published("tokens").shown];
  const one = answerKeySet({ method: "GET", path: PATH }, keys);
  const other = answerKeySet({ method: "GET", path: PATH }, keys.toReversed());
  assert.deepEqual(one, other);
  const etag = field(one?.fields ?? [], "etag");
  for (const ifNoneMatch of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
    const again = answerKeySet({ method: "GET", path: PATH, ifNoneMatch }, keys);
    assert.deepEqual([again?.status, again?.body], [304, ""]);
  }
  const changed = answerKeySet({ method: "GET", path: PATH, ifNoneMatch: etag }, keys.slice(1));
  assert.equal(changed?.status, 200);
});

test("answerKeySet() answers GET and HEAD only, and only its own paths", () => {
  assert.equal(answerKeySet({ method: "HEAD", path: PATH }, [])?.status, 200);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "get"]) {
    const answer = answerKeySet({ method, path: PATH }, []);
    assert.deepEqual([answer?.status, answer?.fields], [405, ["allow", "GET, HEAD"]]);
  }
  for (const path of [
    "/",
    "/.well-known/jwks.json",
    `${PATH}/`,
    "/.well-known/sallyport/",
    "/.WELL-KNOWN/sallyport/jwks.json",
  ]) {
    assert.equal(answerKeySet({ method: "GET", path }, []), undefined, path);
  }
});
