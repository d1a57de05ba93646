/** A client that has a key and makes proofs with it (RFC 9449), right ones and any wrong one. */
import { hash, randomUUID } from "node:crypto";
import type { Algorithm } from "../../src/crypto/algorithms.ts";
import { jwkThumbprint } from "../../src/crypto/jwk.ts";
import type { JsonObject } from "../../src/model/json.ts";
import { signToken, type TestKey, testKey } from "../issuer.ts";

export interface ProofOptions {
  readonly method: string;
  readonly url: string;
  /** Undefined: for the token endpoint, where there is none yet. */
  readonly token: string | undefined;
  readonly nonce?: string | undefined;
  readonly nowMs?: number;
  /** In place of what a right proof has; `undefined` leaves a member out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  /** Makes the signature in its stead. */
  readonly signer?: TestKey;
}

export interface DpopClient {
  readonly key: TestKey;
  /** The public key as proofs carry it. */
  readonly jwk: JsonObject;
  /** What a token is bound to it by: `cnf.jkt`. */
  readonly thumbprint: string;
  proof(options: ProofOptions): string;
}

/** The same name gives the same key. */
export function dpopClient(algorithm: Algorithm = "ES256", name = "client"): DpopClient {
  const key = testKey(name, algorithm);
  const { kid: _, alg: __, use: ___, ...members } = key.jwk;
  const jwk = members as JsonObject;
  const thumbprint = jwkThumbprint(jwk);
  if (thumbprint === undefined) throw new TypeError("a key without a thumbprint");
  return {
    key,
    jwk,
    thumbprint,
    proof({ method, url, token, nonce, nowMs = Date.now(), claims, header, signer = key }) {
      return signToken(
        signer,
        { typ: "dpop+jwt", alg: algorithm, jwk, ...header },
        {
          jti: randomUUID(),
          htm: method,
          htu: url,
          iat: Math.floor(nowMs / 1000),
          ath: token === undefined ? undefined : hash("sha256", token, "base64url"),
          nonce,
          ...claims,
        },
      );
    },
  };
}
