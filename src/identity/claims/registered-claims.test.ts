import assert from "node:assert/strict";
import test from "node:test";
import { isJsonObject, parseJson } from "../../model/json.ts";
import { isClaimFault } from "./claims.ts";
import { readRegisteredClaims } from "./registered-claims.ts";

function read(claims: object) {
  const json = parseJson(JSON.stringify({ exp: 1, ...claims }));
  assert.ok(isJsonObject(json));
  return readRegisteredClaims(json);
}

test("readRegisteredClaims() takes each claim up to its limit, and no further", () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => `a${index}`);
  for (const [right, wrong] of [
    [{ exp: 0 }, { exp: -1 }],
    [{ exp: 8_640_000_000_000 }, { exp: 8_640_000_000_001 }],
    [{ jti: "j".repeat(1024) }, { jti: "j".repeat(1025) }],
    [{ aud: many(256) }, { aud: many(257) }],
    [{ aud: ["a".repeat(1024)] }, { aud: ["a".repeat(1025)] }],
  ]) {
    assert.ok(!isClaimFault(read(right as object)), JSON.stringify(right).slice(0, 60));
    const fault = read(wrong as object);
    assert.ok(isClaimFault(fault) && fault.fault === "invalid-claim");
  }
});

test("readRegisteredClaims() reads scopes of both kinds once each, and who the client is", () => {
  const claims = read({ scope: "a  b a", scp: ["c", "b d"], azp: "web" });
  assert.ok(!isClaimFault(claims));
  assert.deepEqual(claims.scopes, ["a", "b", "c", "d"]);
  assert.equal(claims.clientId, "web");
  const both = read({ client_id: "api", azp: "web" });
  assert.ok(!isClaimFault(both));
  assert.equal(both.clientId, "api");
});
