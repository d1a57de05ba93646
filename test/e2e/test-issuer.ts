/** An issuer of tokens for tests: one key, any header, any claims, right and wrong signatures. */
import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";

export const ISSUER = "https://issuer.example";
export const AUDIENCE = "https://api.example";

export interface TestIssuer {
  /** The public key set. */
  readonly jwks: object;
  /** The public key, for those who would use it as a secret. */
  readonly publicKey: KeyObject;
  /** A signed token; what is given replaces the defaults, `undefined` leaves a member out. */
  token(claims?: object, header?: object): string;
}

/** An ES256 issuer with a fresh key. */
export function createTestIssuer(): TestIssuer {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const kid = "test-1";
  const key = { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" };
  return {
    jwks: { keys: [key] },
    publicKey,
    token: (claims = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const input = [
        { alg: "ES256", typ: "at+jwt", kid, ...header },
        { iss: ISSUER, aud: AUDIENCE, sub: "tester", iat: now, exp: now + 300, ...claims },
      ]
        .map(encode)
        .join(".");
      const signature = sign("sha256", Buffer.from(input), {
        key: privateKey,
        dsaEncoding: "ieee-p1363",
      });
      return `${input}.${signature.toString("base64url")}`;
    },
  };
}

/** One part of a token. */
export function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
