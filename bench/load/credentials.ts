/**
 * Keys and tokens for a run: access tokens as an OpenID provider issues them (RFC 9068), signed with
 * RS256, ES256 or EdDSA, and the wrong ones that a peer has to refuse before it is measured.
 */
import { generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";

export type Algorithm = "RS256" | "ES256" | "EdDSA";

export const ISSUER = "https://login.bench.example";
export const AUDIENCE = "https://api.bench.example";

/** Longer than any run takes. */
const LIFETIME_SECONDS = 6 * 60 * 60;
/** Distinct callers under load, so that no cache lives on one entry. */
const CALLERS = 50;

export interface Signer {
  readonly algorithm: Algorithm;
  readonly keyId: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** The credentials of one algorithm. */
export interface Credentials {
  readonly signer: Signer;
  /** Good tokens of different callers. */
  readonly tokens: readonly string[];
  /** A good token of somebody who lacks the role. */
  readonly roleless: string;
  /** What must be refused, by what is wrong with it. */
  readonly wrong: Readonly<Record<"changed" | "expired" | "foreign", string>>;
}

export function createSigner(algorithm: Algorithm): Signer {
  const pair = keyPair(algorithm);
  return { algorithm, keyId: `bench-${algorithm.toLowerCase()}-2026`, ...pair };
}

export function createCredentials(algorithm: Algorithm): Credentials {
  const signer = createSigner(algorithm);
  const tokens = Array.from({ length: CALLERS }, (_, caller) => signToken(signer, claims(caller)));
  const [first = ""] = tokens;
  const now = Math.floor(Date.now() / 1000);
  return {
    signer,
    tokens,
    roleless: signToken(signer, { ...claims(CALLERS), roles: ["Reader"] }),
    wrong: {
      changed: withChangedByte(first),
      expired: signToken(signer, {
        ...claims(0),
        iat: now - 7200,
        nbf: now - 7200,
        exp: now - 3600,
      }),
      // Somebody else's key under the name of ours.
      foreign: signToken({ ...createSigner(algorithm), keyId: signer.keyId }, claims(0)),
    },
  };
}

/** The claims of one caller; about 700 bytes as an RS256 token. */
export function claims(caller: number): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  const id = caller.toString(16).padStart(8, "0");
  return {
    iss: ISSUER,
    sub: `payments-${id}`,
    aud: AUDIENCE,
    client_id: `payments-${id}`,
    jti: `c0ffee00-0000-4000-8000-0000${id}`,
    iat: now,
    nbf: now,
    exp: now + LIFETIME_SECONDS,
    scope: "records:read",
    roles: ["AdminService", "Reader"],
    tenant_id: "tenant-7",
    ext: false,
  };
}

/** JWS compact serialization (RFC 7515 section 7.1). */
export function signToken(signer: Signer, payload: Readonly<Record<string, unknown>>): string {
  const header = { alg: signer.algorithm, typ: "at+jwt", kid: signer.keyId };
  const input = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(payload))}`;
  const signature = sign(signer.algorithm === "EdDSA" ? null : "sha256", Buffer.from(input), {
    key: signer.privateKey,
    dsaEncoding: "ieee-p1363",
  });
  return `${input}.${signature.toString("base64url")}`;
}

/** The public halves as a JWK set (RFC 7517 section 5). */
export function keySet(signers: readonly Signer[]): string {
  const keys = signers.map((signer) => ({
    ...signer.publicKey.export({ format: "jwk" }),
    kid: signer.keyId,
    alg: signer.algorithm,
    use: "sig",
  }));
  return JSON.stringify({ keys });
}

export function publicPem(signer: Signer): string {
  return signer.publicKey.export({ format: "pem", type: "spki" });
}

function keyPair(algorithm: Algorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (algorithm === "RS256") return generateKeyPairSync("rsa", { modulusLength: 2048 });
  if (algorithm === "ES256") return generateKeyPairSync("ec", { namedCurve: "P-256" });
  return generateKeyPairSync("ed25519");
}

/** Changes the signature's first byte, so that what comes before it still parses. */
function withChangedByte(token: string): string {
  const at = token.lastIndexOf(".") + 1;
  const changed = token.charAt(at) === "A" ? "B" : "A";
  return token.slice(0, at) + changed + token.slice(at + 1);
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
