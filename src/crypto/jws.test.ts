import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "node:test";
import { compactVerify, CompactSign, importJWK, type JWK } from "jose";
import { corpora } from "../../test/corpora.ts";
import { encode, headerOf, hmacToken, keySetOf, signToken, testKey } from "../../test/issuer.ts";
import { parseJson, type JsonObject } from "../model/json.ts";
import { ALGORITHMS, type Algorithm } from "./algorithms.ts";
import { readKeySet } from "./jwk.ts";
import { JWS_LIMITS, readJws, verifyJws, type UnverifiedJws } from "./jws.ts";

const claims = { iss: "https://login.example.com", sub: "a" };

function publicKeyOf(jwk: object) {
  const [key] = readKeySet(parseJson(JSON.stringify({ keys: [jwk] }))).keys;
  assert.ok(key);
  return key;
}

function read(token: string): UnverifiedJws {
  const jws = readJws(token);
  assert.ok(!("fault" in jws), JSON.stringify(jws));
  return jws;
}

for (const algorithm of ALGORITHMS) {
  const key = testKey(`k-${algorithm}`, algorithm, algorithm.slice(0, 2));

  test(`verifyJws() and jose agree on ${algorithm} in both directions`, async () => {
    const ours = signToken(key, headerOf(key), claims);
    const jwk = key.jwk as unknown as JWK;
    await compactVerify(ours, await importJWK(jwk, algorithm));
    assert.ok(verifyJws(read(ours), algorithm, publicKeyOf(key.jwk)));

    const theirs = await new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: algorithm })
      .sign(key.privateKey);
    assert.ok(verifyJws(read(theirs), algorithm, publicKeyOf(key.jwk)));
  });

  test(`verifyJws() refuses every changed byte of an ${algorithm} signature`, () => {
    const token = signToken(key, headerOf(key), claims);
    const jws = read(token);
    const publicKey = publicKeyOf(key.jwk);
    const step = Math.max(1, Math.floor(jws.signature.length / 16));
    for (let index = 0; index < jws.signature.length; index += step) {
      const signature = Buffer.from(jws.signature);
      signature.writeUInt8(signature.readUInt8(index) ^ 1, index);
      assert.ok(!verifyJws({ ...jws, signature }, algorithm, publicKey), `byte ${index}`);
    }
    for (const signature of [
      Buffer.alloc(0),
      jws.signature.subarray(1),
      Buffer.concat([jws.signature, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), jws.signature]),
      Buffer.alloc(jws.signature.length),
      Buffer.alloc(jws.signature.length, 0xff),
    ]) {
      assert.ok(!verifyJws({ ...jws, signature }, algorithm, publicKey));
    }
    const signingInput = Buffer.from(jws.signingInput);
    signingInput.writeUInt8(signingInput.readUInt8(5) ^ 1, 5);
    assert.ok(!verifyJws({ ...jws, signingInput }, algorithm, publicKey));
  });
}

test("verifyJws() uses no key for an algorithm that the key does not have", () => {
  const rs = testKey("r", "RS256");
  const token = signToken(testKey("r", "RS384", "r"), { alg: "RS384" }, claims);
  assert.ok(!verifyJws(read(token), "RS384", publicKeyOf(rs.jwk)));
  assert.ok(!verifyJws(read(token), "RS256", publicKeyOf({ ...rs.jwk, alg: undefined })));
  assert.ok(verifyJws(read(token), "RS384", publicKeyOf({ ...rs.jwk, alg: undefined })));
});

test("verifyJws() verifies under the algorithm that the token names, or not at all", () => {
  const key = testKey("r", "RS256");
  const jws = read(signToken(key, { alg: "RS384" }, claims));
  assert.ok(!verifyJws(jws, "RS256", publicKeyOf(key.jwk)), "though the signature is RS256's");
});

test("verifyJws() takes no DER form of an ECDSA signature", () => {
  const key = testKey("e", "ES256");
  const jws = read(signToken(key, headerOf(key), claims));
  const der = derOf(jws.signature);
  assert.ok(!verifyJws({ ...jws, signature: der }, "ES256", publicKeyOf(key.jwk)));
});

test("readJws() refuses what is not a compact JWS of strict JSON", async (t) => {
  const key = testKey("e", "ES256");
  const good = signToken(key, headerOf(key), claims);
  const [header = "", payload = "", signature = ""] = good.split(".");
  const nested = `{"a":${"[".repeat(40)}${"]".repeat(40)}}`;
  const cases: readonly [name: string, token: string, fault?: string][] = [
    ["nothing", ""],
    ["one part", header],
    ["two parts", `${header}.${payload}`],
    ["four parts", `${good}.`],
    ["five parts, a JWE", `${header}.${payload}.${signature}.a.b`],
    ["empty header", `.${payload}.${signature}`],
    ["empty payload, detached content", `${header}..${signature}`],
    ["padding", `${header}=.${payload}.${signature}`],
    ["plain base64", `${header}.${payload}.${signature.slice(0, -2)}+/`],
    ["unused bits", `${header}.${encode("{}").slice(0, -1)}1.${signature}`],
    ["white space", ` ${good}`],
    ["line end", `${good}\n`],
    ["header that is a list", `${encode("[]")}.${payload}.${signature}`],
    ["header that is null", `${encode("null")}.${payload}.${signature}`],
    ["payload that is a text", `${header}.${encode('"a"')}.${signature}`],
    ["payload that is not UTF-8", `${header}.${Buffer.from([0x7b, 0xff]).toString("base64url")}.`],
    ["repeated alg", `${encode('{"alg":"ES256","alg":"none"}')}.${payload}.${signature}`],
    ["repeated claim", `${header}.${encode('{"sub":"a","sub":"b"}')}.${signature}`],
    ["nested too deeply", `${header}.${encode(nested)}.${signature}`],
    ["no alg", `${encode({ typ: "JWT" })}.${payload}.${signature}`],
    ["alg that is no text", `${encode({ alg: ["ES256"] })}.${payload}.${signature}`],
    ["kid that is no text", `${encode({ alg: "ES256", kid: 1 })}.${payload}.${signature}`],
    ["kid that is huge", `${encode({ alg: "ES256", kid: "k".repeat(300) })}.${payload}.`],
    ["typ that is no text", `${encode({ alg: "ES256", typ: {} })}.${payload}.${signature}`],
    ["huge", `${header}.${encode({ a: "x".repeat(JWS_LIMITS.maxChars) })}.${signature}`],
    [
      "crit",
      `${encode({ alg: "ES256", crit: ["exp"], exp: 1 })}.${payload}.`,
      "invalid-token-type",
    ],
    ["empty crit", `${encode({ alg: "ES256", crit: [] })}.${payload}.`, "invalid-token-type"],
    ["b64", `${encode({ alg: "ES256", b64: false })}.${payload}.`, "invalid-token-type"],
  ];
  for (const [name, token, fault = "malformed-credential"] of cases) {
    await t.test(name, () => {
      const jws = readJws(token);
      assert.ok("fault" in jws);
      assert.equal(jws.fault, fault);
      if (/part/.test(name)) assert.match(jws.detail, /three parts/);
    });
  }
});

test("readJws() reads tokens of none and HMAC, and verifyJws() has nothing for them", () => {
  const key = testKey("r", "RS256");
  const none = read(`${encode({ alg: "none" })}.${encode(claims)}.`);
  const pem = createPublicKey(key.privateKey).export({ format: "pem", type: "spki" });
  const hmac = read(hmacToken(pem, { alg: "HS256" }, claims));
  for (const jws of [none, hmac]) {
    assert.ok(!(ALGORITHMS as readonly string[]).includes(jws.algorithm));
    for (const algorithm of ALGORITHMS) {
      assert.ok(!verifyJws(jws, algorithm, publicKeyOf(key.jwk)));
    }
  }
});

interface CookbookCase {
  readonly input: { readonly key: JsonObject; readonly alg: Algorithm; readonly payload: string };
  readonly signing: { readonly sig: string };
  readonly output: { readonly compact: string };
}

const cookbook = corpora("jose/rfc7520-cookbook");

test("verifyJws() verifies the RFC 7520 cookbook", { skip: cookbook === undefined }, async (t) => {
  for (const name of [
    "jws/4_1.rsa_v15_signature.json",
    "jws/4_2.rsa-pss_signature.json",
    "jws/4_3.ecdsa_signature.json",
    "curve25519/jws.json",
  ]) {
    await t.test(name, () => {
      const { input, output } = JSON.parse(
        readFileSync(`${cookbook}/${name}`, "utf8"),
      ) as CookbookCase;
      const { kty, crv, n, e, x, y, kid } = input.key;
      const key = publicKeyOf({ kty, crv, n, e, x, y, kid });
      const [header = "", payload = "", signature = ""] = output.compact.split(".");
      const jws = (text: string): UnverifiedJws => ({
        algorithm: input.alg,
        kid: undefined,
        type: undefined,
        claims: {},
        signingInput: Buffer.from(text),
        signature: Buffer.from(signature, "base64url"),
      });
      assert.ok(verifyJws(jws(`${header}.${payload}`), input.alg, key));
      assert.ok(!verifyJws(jws(`${header}.${payload}A`), input.alg, key));
      // The cookbook's payloads are prose: no claims, so no token for us.
      assert.ok("fault" in readJws(output.compact));
    });
  }
});

const istio = corpora("jose/istio-jwt.json");

test("verifyJws() agrees with jose on Istio's tokens", { skip: istio === undefined }, async (t) => {
  const { jwks, tokens } = JSON.parse(readFileSync(istio ?? "", "utf8")) as {
    readonly jwks: { readonly keys: readonly JWK[] };
    readonly tokens: readonly { readonly name: string; readonly token: string }[];
  };
  const jwk = jwks.keys[0] ?? assert.fail("a key");
  const theirKey = await importJWK(jwk, "RS256");
  for (const { name, token } of tokens) {
    await t.test(name, async () => {
      const theirs = await compactVerify(token, theirKey).then(
        () => true,
        () => false,
      );
      const jws = readJws(token);
      const ours = !("fault" in jws) && verifyJws(jws, "RS256", publicKeyOf(jwk));
      assert.equal(ours, theirs);
      assert.equal(ours, name !== "TokenInvalid");
    });
  }
});

test("the test issuer publishes no private member", () => {
  assert.ok(!JSON.stringify(keySetOf(testKey("e", "ES256"))).includes('"d"'));
});

/** The ASN.1 form of r and s, as other protocols carry it. */
function derOf(signature: Buffer): Buffer {
  const integer = (bytes: Buffer): Buffer => {
    const positive = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes;
    return Buffer.concat([Buffer.from([2, positive.length]), positive]);
  };
  const body = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}
