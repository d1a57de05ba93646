/** SPIFFE bundles and JWT-SVIDs for tests, made on the spot. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { TestCertificate } from "./certificates.ts";
import { encode } from "./e2e/test-issuer.ts";

/** Signs JWT-SVIDs; its public part stands in a bundle. */
export interface JwtAuthority {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly jwk: Readonly<Record<string, unknown>>;
  /** A JWT-SVID; what is given replaces the defaults, `undefined` leaves a member out. */
  token(claims: object, header?: object): string;
}

export function createJwtAuthority(kid: string): JwtAuthority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, use: "jwt-svid" };
  return {
    kid,
    privateKey,
    jwk,
    token: (claims, header = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const input = [
        { alg: "ES256", typ: "JWT", kid, ...header },
        { iat: now, exp: now + 300, ...claims },
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

/** A SPIFFE bundle (SPIFFE Trust Domain and Bundle, section 4). */
export function spiffeBundle(
  x509: readonly TestCertificate[],
  jwt: readonly JwtAuthority[] = [],
  members: object = {},
): Readonly<Record<string, unknown>> {
  const authorities = x509.map(({ der, keys }) => ({
    ...keys.publicKey.export({ format: "jwk" }),
    use: "x509-svid",
    x5c: [der.toString("base64")],
  }));
  return { keys: [...authorities, ...jwt.map(({ jwk }) => jwk)], ...members };
}
