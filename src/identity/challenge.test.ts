import assert from "node:assert/strict";
import test from "node:test";
import { REASONS, type Reason } from "../model/reason.ts";
import { createChallenge } from "./challenge.ts";
import { createDpopChallenge } from "./dpop/dpop-challenge.ts";

test("challenge without a credential has no error code", () => {
  assert.equal(createChallenge("billing")("missing-credential"), 'Bearer realm="billing"');
});

test("challenge names the reason's title and nothing of the token", () => {
  assert.equal(
    createChallenge("billing")("token-expired"),
    'Bearer realm="billing", error="invalid_token", error_description="The token has expired"',
  );
});

test("challenge says that a key which is for more would do", () => {
  assert.equal(
    createChallenge("billing")("outside-key"),
    'Bearer realm="billing", error="insufficient_scope", error_description="The key is not for this request"',
  );
  assert.match(
    createDpopChallenge(["ES256"])("outside-key") ?? "",
    /^DPoP algs="ES256", error="insufficient_scope"/,
  );
});

test("challenge exists for every 401, for one 403 and for nothing else, within RFC 6750's characters", () => {
  const challenge = createChallenge("billing");
  for (const reason of Object.keys(REASONS) as Reason[]) {
    const value = challenge(reason);
    assert.equal(value !== undefined, hasChallenge(reason), reason);
    const quoted = value?.matchAll(/"([^"]*)"/g) ?? [];
    for (const [, text] of quoted) assert.match(text ?? "", /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
    assert.equal((value?.split('"').length ?? 1) % 2, 1, "every quote is closed");
  }
});

test("createChallenge() refuses a realm that could end its own string", () => {
  for (const realm of ["", 'a"b', "a\\b", "a\r\nb", "é"]) {
    assert.throws(() => createChallenge(realm), TypeError);
  }
});

test("challenges of DPoP say which algorithms and what is wrong; Bearer's leave the proof to them", () => {
  const dpop = createDpopChallenge(["ES256", "EdDSA"]);
  const bearer = createChallenge("billing");
  const algs = 'algs="ES256 EdDSA Ed25519"';
  assert.equal(dpop("missing-credential"), `DPoP ${algs}`);
  for (const [reason, error] of [
    ["invalid-proof", "invalid_dpop_proof"],
    ["replayed-proof", "invalid_dpop_proof"],
    ["stale-proof", "invalid_dpop_proof"],
    ["use-dpop-nonce", "use_dpop_nonce"],
  ] as const) {
    const { title } = REASONS[reason];
    assert.equal(dpop(reason), `DPoP ${algs}, error="${error}", error_description="${title}"`);
    assert.equal(bearer(reason), 'Bearer realm="billing"');
  }
  for (const reason of ["token-expired", "wrong-proof-key", "missing-proof"] as const) {
    assert.match(dpop(reason) ?? "", /, error="invalid_token", error_description="[^"]+"$/);
    assert.match(bearer(reason) ?? "", /error="invalid_token"/);
  }
  for (const reason of Object.keys(REASONS) as Reason[]) {
    assert.equal(dpop(reason) !== undefined, hasChallenge(reason), reason);
  }
});

function hasChallenge(reason: Reason): boolean {
  return REASONS[reason].status === 401 || reason === "outside-key";
}
