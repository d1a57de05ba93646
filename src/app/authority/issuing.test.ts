import assert from "node:assert/strict";
import { test } from "node:test";
import { readPublicKey } from "../../crypto/jwk.ts";
import { readJws, verifyJws } from "../../crypto/jws.ts";
import { generateSigningKey } from "../../crypto/signing-key.ts";
import { SallyportError } from "../../model/errors.ts";
import type { KeyClaims } from "../../model/issued-keys.ts";
import type { RevocationTarget } from "../../model/revocation.ts";
import type { KeyUse } from "../../model/signing.ts";
import { createIssuing, NO_CLIENTS } from "./issuing.ts";

const CLAIMS: KeyClaims = {
  iss: "https://sallyport.example.com",
  sub: "corp/alice",
  aud: "billing",
  client_id: "client",
  iat: 1,
  exp: 2,
  jti: "key-1",
  scope: undefined,
  principal: { kind: "user", authenticator: "corp", subject: "alice" },
};

function world(given: { readonly fails?: boolean } = {}) {
  const asked: KeyUse[] = [];
  const revoked: unknown[] = [];
  let changed = (): void => undefined;
  let key = generateSigningKey("EdDSA");
  let nowMs = 0;
  const issuing = createIssuing("https://sallyport.example.com", {
    keys: {
      signer(use) {
        asked.push(use);
        if (given.fails === true) throw new SallyportError("signing-unavailable", "no key");
        return key;
      },
      changed(listener) {
        changed = listener;
        return () => {
          changed = () => undefined;
        };
      },
    },
    revocations: {
      revoke(target, options) {
        revoked.push({ target, options });
        return Promise.resolve({} as never);
      },
    },
    clients: NO_CLIENTS,
    clock: { now: () => nowMs, monotonic: () => nowMs },
    lifetimeMs: 2000,
  });
  return {
    issuing,
    asked,
    revoked,
    key: () => key,
    rotate: () => {
      key = generateSigningKey("ES256");
      changed();
    },
    pass: (ms: number) => void (nowMs += ms),
  };
}

test("createIssuing() signs at+jwt with the key of tokens, and leaves out what is undefined", () => {
  const { issuing, asked, key } = world();
  const jws = readJws(issuing.sign(CLAIMS) as string);
  if ("fault" in jws) assert.fail(jws.detail);
  assert.equal(jws.type, "at+jwt");
  assert.equal(jws.kid, key().kid);
  assert.ok(!("scope" in jws.claims));
  const verification = readPublicKey(key().jwk);
  if (typeof verification === "string") assert.fail(verification);
  assert.ok(verifyJws(jws, "EdDSA", verification));
  assert.deepEqual(asked, ["tokens"]);
});

test("createIssuing() asks for its signer once a second, and at once when keys change", () => {
  const { issuing, asked, rotate, pass } = world();
  void issuing.sign(CLAIMS);
  void issuing.sign(CLAIMS);
  assert.equal(asked.length, 1);
  rotate();
  const jws = readJws(issuing.sign(CLAIMS) as string);
  assert.equal("fault" in jws ? undefined : jws.algorithm, "ES256");
  assert.equal(asked.length, 2);
  pass(1000);
  void issuing.sign(CLAIMS);
  assert.equal(asked.length, 3);
});

test("createIssuing() says that nobody can sign when there is no key", () => {
  const { issuing } = world({ fails: true });
  assert.throws(() => issuing.sign(CLAIMS), { code: "signing-unavailable" });
});

test("createIssuing() signs nothing of another issuer, and nothing that outlives its signer", () => {
  const { issuing } = world();
  assert.throws(() => issuing.sign({ ...CLAIMS, iss: "https://other.example.com" }), TypeError);
  assert.throws(() => issuing.sign({ ...CLAIMS, exp: 3 }), TypeError);
});

test("createIssuing() takes keys away as who asks for it says, until they have expired", async () => {
  const { issuing, revoked } = world();
  const target: RevocationTarget = { kind: "id", authenticator: "keys", id: "key-1" };
  await issuing.revoke(target, { expiresMs: 2000, by: "corp/alice" });
  assert.deepEqual(revoked, [
    { target, options: { mode: "revoke", expiresMs: 2000, by: "corp/alice" } },
  ]);
});

test("createIssuing() knows no client where nobody can be registered", async () => {
  const { issuing } = world();
  assert.equal(await issuing.client("anybody"), undefined);
  issuing.used("anybody", 0);
});
