import assert from "node:assert/strict";
import { test } from "node:test";
import { calculateJwkThumbprint, EmbeddedJWK, type JWK, jwtVerify } from "jose";
import { ManualClock } from "../platform/clock.ts";
import { createDpopProver, tokenHash } from "./dpop-prover.ts";

const NOW = Date.UTC(2026, 10, 26);

test("a proof says what it is for, verifies under the key in it, and is never the same twice", async () => {
  const prove = createDpopProver({ clock: new ManualClock(NOW) });
  const request = {
    method: "POST",
    url: "https://billing.example/invoices",
    ath: tokenHash("token"),
    nonce: "n",
  };
  const options = { typ: "dpop+jwt", algorithms: ["ES256"], currentDate: new Date(NOW) };
  const first = await jwtVerify(prove(request), EmbeddedJWK, options);
  const second = await jwtVerify(prove(request), EmbeddedJWK, options);
  const { jti, ...claims } = first.payload;
  const { method: htm, url: htu, ath, nonce } = request;
  assert.deepEqual(claims, { htm, htu, iat: NOW / 1000, ath, nonce });
  assert.notEqual(jti, second.payload.jti);
  const jwk = first.protectedHeader.jwk as JWK;
  assert.deepEqual(Object.keys(jwk).toSorted(), ["crv", "kty", "x", "y"]);
  const other = second.protectedHeader.jwk as JWK;
  assert.equal(await calculateJwkThumbprint(jwk), await calculateJwkThumbprint(other));
});

test("tokenHash() is that of RFC 9449's own example", () => {
  const token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
  assert.equal(tokenHash(token), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
});
