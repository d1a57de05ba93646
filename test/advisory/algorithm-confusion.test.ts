/**
 * Algorithm confusion (fast-jwt, Hono's JWT helper, 2026; RFC 8725 section 2.1): a token signed with
 * HMAC under the issuer's public key as its secret, one with `alg: none`, one whose header brings
 * its own key or says where to fetch it (`jwk`, `jku`, `x5u`, `x5c`), one with a `crit` that nobody
 * understands. The algorithm comes from the configuration and the key from the issuer's own set.
 */
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, reasonsOf, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";
import { encode } from "../e2e/test-issuer.ts";

const stage = await startStage();
after(() => stage.close());

const good = stage.issuer.token({ roles: ["Admin"] });
const payload = good.split(".")[1] ?? "";
const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ownJwk = own.publicKey.export({ format: "jwk" });

/** The good token's claims under another header, signed with a key of the attacker's. */
function forged(header: object): string {
  const input = `${encode({ alg: "ES256", typ: "at+jwt", ...header })}.${payload}`;
  const key = { key: own.privateKey, dsaEncoding: "ieee-p1363" as const };
  return `${input}.${sign("sha256", Buffer.from(input), key).toString("base64url")}`;
}

function hmac(alg: string, secret: string | Buffer): string {
  const input = `${encode({ alg, typ: "at+jwt", kid: "test-1" })}.${payload}`;
  return `${input}.${createHmac(`sha${alg.slice(2)}`, secret)
    .update(input)
    .digest("base64url")}`;
}

const pem = stage.issuer.publicKey.export({ type: "spki", format: "pem" });
const der = stage.issuer.publicKey.export({ type: "spki", format: "der" });
const TOKENS: readonly [name: string, token: string][] = [
  ["HS256 under the public key as PEM", hmac("HS256", pem)],
  ["HS256 under the public key as DER", hmac("HS256", der)],
  ["HS384 under the public key as PEM", hmac("HS384", pem)],
  ["HS256 under nothing", hmac("HS256", "")],
  ["none", `${encode({ alg: "none", typ: "at+jwt" })}.${payload}.`],
  ["None", `${encode({ alg: "None", typ: "at+jwt" })}.${payload}.`],
  ["nOnE with a signature", forged({ alg: "nOnE" })],
  ["no alg", `${encode({ typ: "at+jwt" })}.${payload}.${good.split(".")[2] ?? ""}`],
  ["an alg that is a list", `${encode({ alg: ["ES256"] })}.${payload}.x`],
  ["a key of its own", forged({ kid: "test-1" })],
  ["an unknown kid", forged({ kid: "other" })],
  ["a kid that is a path", forged({ kid: "../../../../dev/null" })],
  ["a kid of the prototype", forged({ kid: "__proto__" })],
  ["jwk", forged({ jwk: ownJwk })],
  ["jku", forged({ jku: `http://${stage.service.address}/jwks.json` })],
  ["x5u", forged({ x5u: `http://${stage.service.address}/cert.pem` })],
  ["x5c", forged({ x5c: ["MIIB"] })],
  ["an unknown crit", stage.issuer.token({ roles: ["Admin"] }, { crit: ["exp"], exp: 1 })],
  ["an empty crit", stage.issuer.token({ roles: ["Admin"] }, { crit: [] })],
  ["b64 false", stage.issuer.token({ roles: ["Admin"] }, { b64: false, crit: ["b64"] })],
  ["an ID token's type", stage.issuer.token({ roles: ["Admin"] }, { typ: "logout+jwt" })],
  ["a signature in DER", `${good.split(".").slice(0, 2).join(".")}.${derSignature()}`],
  ["no signature", `${good.split(".").slice(0, 2).join(".")}.`],
  ["four parts", `${good}.x`],
  ["five parts", "a.b.c.d.e"],
  ["padding", `${good}=`],
  ["a signature of zeros", `${good.split(".").slice(0, 2).join(".")}.${"A".repeat(86)}`],
];

function derSignature(): string {
  const input = good.split(".").slice(0, 2).join(".");
  return sign("sha256", Buffer.from(input), own.privateKey).toString("base64url");
}

for (const [name, token] of TOKENS) {
  testOverEach(stage, `a token with ${name} opens nothing`, async ({ attack }) => {
    const evidence = await attack(requestBytes("/guarded/x", [`Authorization: Bearer ${token}`]));
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 401);
    assert.deepEqual(
      arrivalsOf(evidence).filter(({ target }) => !target.startsWith("/sentinel")),
      [],
    );
  });
}

testOverEach(stage, "the token that they all imitate opens the route", async ({ attack }) => {
  const evidence = await attack(requestBytes("/guarded/x", [`Authorization: Bearer ${good}`]));
  assertHarmless(evidence);
  assert.equal(reasonsOf(evidence)[0], "permitted");
});
