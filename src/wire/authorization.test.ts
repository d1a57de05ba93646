import { strict as assert } from "node:assert";
import test from "node:test";
import { isCredentialsFault, parseAuthorization } from "./authorization.ts";

test("parseAuthorization() gives scheme and token", () => {
  const bearer = { scheme: "bearer", token: "a.b-c_~+/9==" };
  assert.deepEqual(parseAuthorization("Bearer a.b-c_~+/9=="), bearer);
  assert.deepEqual(parseAuthorization("bEARER  a.b-c_~+/9=="), bearer);
  assert.deepEqual(parseAuthorization("DPoP a"), { scheme: "dpop", token: "a" });
  assert.deepEqual(parseAuthorization("Basic YTpi"), { scheme: "basic", token: "YTpi" });
});

test("parseAuthorization() gives no token for schemes with parameters", () => {
  const digest = parseAuthorization('Digest username="a", realm="b"');
  assert.deepEqual(digest, { scheme: "digest", token: undefined });
  assert.deepEqual(parseAuthorization("Negotiate"), { scheme: "negotiate", token: undefined });
});

for (const value of [
  "",
  "Bearer",
  "Bearer ",
  "Bearer a b",
  "Bearer a,b",
  "Bearer a=b",
  "Bearer =a",
  "Bearer =",
  "Bearer\ta",
  "Bearer a\t",
  "Bearer  ",
  'Bearer "a"',
  "Bearer \xe9",
  "Bearer a, Bearer b",
  "Be(arer a",
  " Bearer a",
  "DPoP",
  "Basic a:b",
]) {
  test(`parseAuthorization() refuses ${JSON.stringify(value)} as malformed-credential`, () => {
    const result = parseAuthorization(value);
    assert.equal(isCredentialsFault(result) && result.reason, "malformed-credential");
  });
}

test("parseAuthorization() looks at no more than 16 KiB and shows none of it", () => {
  assert.ok(!isCredentialsFault(parseAuthorization(`Bearer ${"a".repeat(16_377)}`)));
  const result = parseAuthorization(`Bearer ${"canary".repeat(3000)}`);
  assert.ok(isCredentialsFault(result));
  assert.ok(!result.detail.includes("canary"));
});
