/**
 * Makes proofs of possession (RFC 9449): a key of its own that never leaves the process, and for each request a
 * proof that is good for that method, that place and that moment. Whoever gets hold of what goes over the wire can
 * send none of it again.
 */
import { hash, randomBytes } from "node:crypto";
import { generateSigningKey } from "../crypto/signing-key.ts";
import type { Clock } from "../model/ports.ts";

export interface ProvenRequest {
  readonly method: string;
  /** Without query and fragment (section 4.2, `htu`). */
  readonly url: string;
  /** `tokenHash` of the token that goes with it; undefined at the token endpoint. */
  readonly ath?: string | undefined;
  /** What the server asked for last (section 8). */
  readonly nonce?: string | undefined;
}

/** The value of the `DPoP` field. Never the same twice. */
export type DpopProver = (request: ProvenRequest) => string;

const LIMITS = {
  /** Bytes of `jti`: the RFC asks for 96 bits of randomness at least. */
  jti: 16,
} as const;

/** With a key of P-256: ES256 is what every server takes. */
export function createDpopProver({ clock }: { readonly clock: Pick<Clock, "now"> }): DpopProver {
  const key = generateSigningKey("ES256");
  const { kty, crv, x, y } = key.jwk;
  const header = encode(JSON.stringify({ typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } }));
  return ({ method, url, ath, nonce }) => {
    const claims = {
      jti: randomBytes(LIMITS.jti).toString("base64url"),
      htm: method,
      htu: url,
      iat: Math.floor(clock.now() / 1000),
      ath,
      nonce,
    };
    const input = `${header}.${encode(JSON.stringify(claims))}`;
    return `${input}.${key.sign(Buffer.from(input, "latin1")).toString("base64url")}`;
  };
}

/** `ath` (section 4.2). */
export function tokenHash(token: string): string {
  return hash("sha256", token, "base64url");
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64url");
}
