/**
 * A proof that the sender has the key that a token is bound to (RFC 9449 section 4.2), for one request.
 *
 * By hand: `./proof METHOD URL` in the demo's folder prints the field that goes beside the token.
 */
import { createHash, createPrivateKey, randomUUID, sign, type webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Proven {
  readonly method: string;
  readonly url: string;
  /** The access token that it goes with. */
  readonly token: string;
}

export function makeProof(key: webcrypto.JsonWebKey, { method, url, token }: Proven): string {
  const { crv, kty, x, y } = key;
  const header = { typ: "dpop+jwt", alg: "ES256", jwk: { crv, kty, x, y } };
  const claims = {
    jti: randomUUID(),
    htm: method,
    htu: url,
    iat: Math.floor(Date.now() / 1000),
    ath: createHash("sha256").update(token).digest("base64url"),
  };
  const input = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const privateKey = createPrivateKey({ key: { ...key }, format: "jwk" });
  const signature = sign("sha256", Buffer.from(input), {
    key: privateKey,
    dsaEncoding: "ieee-p1363",
  });
  return `${input}.${signature.toString("base64url")}`;
}

if (import.meta.main) {
  const [folder = ".", method = "GET", url = ""] = process.argv.slice(2);
  const key = JSON.parse(
    readFileSync(join(folder, "tokens/courier.key"), "utf8"),
  ) as webcrypto.JsonWebKey;
  const [, , token = ""] = readFileSync(join(folder, "tokens/courier"), "utf8").trim().split(" ");
  console.log(`dpop: ${makeProof(key, { method, url, token })}`);
}
