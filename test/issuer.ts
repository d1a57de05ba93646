/** An issuer of tokens for tests: makes keys, publishes them, and signs whatever it is told to. */
import { createHmac, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { algorithmProfile, type Algorithm } from "../src/crypto/algorithms.ts";

export interface TestKey {
  readonly kid: string | undefined;
  readonly algorithm: Algorithm;
  readonly privateKey: KeyObject;
  /** As it stands in a key set. */
  readonly jwk: Readonly<Record<string, unknown>>;
}

/** RSA keys are slow to make, so each name makes one per process. */
const made = new Map<string, { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>();

/** The same name gives the same key. */
export function testKey(kid: string | undefined, algorithm: Algorithm, name = kid): TestKey {
  const profile = algorithmProfile(algorithm);
  const id = `${profile.kty} ${profile.crv} ${name}`;
  const pair = made.get(id) ?? generate(profile.kty, profile.crv);
  made.set(id, pair);
  const jwk = { ...pair.publicKey.export({ format: "jwk" }), kid, alg: algorithm, use: "sig" };
  return { kid, algorithm, privateKey: pair.privateKey, jwk: JSON.parse(JSON.stringify(jwk)) };
}

function generate(kty: string, crv: string | undefined) {
  if (kty === "RSA") return generateKeyPairSync("rsa", { modulusLength: 2048 });
  if (kty === "OKP") return generateKeyPairSync("ed25519");
  return generateKeyPairSync("ec", { namedCurve: crv ?? "P-256" });
}

export function keySetOf(...keys: readonly TestKey[]): { readonly keys: readonly object[] } {
  return { keys: keys.map((key) => key.jwk) };
}

/** Header and payload as objects, or as text where the JSON itself is the test. */
export function signToken(key: TestKey, header: object | string, claims: object | string): string {
  const input = `${encode(header)}.${encode(claims)}`;
  const { digest, parameters } = algorithmProfile(key.algorithm);
  const signature = sign(digest, Buffer.from(input), { key: key.privateKey, ...parameters });
  return `${input}.${signature.toString("base64url")}`;
}

export function headerOf(key: TestKey): Record<string, unknown> {
  return { alg: key.algorithm, kid: key.kid, typ: "at+jwt" };
}

/** An HS256 token under an arbitrary secret, as an attacker would make it. */
export function hmacToken(secret: string | Uint8Array, header: object, claims: object): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

export function encode(part: object | string): string {
  const text = typeof part === "string" ? part : JSON.stringify(part);
  return Buffer.from(text).toString("base64url");
}
