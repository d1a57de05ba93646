/** Fresh private keys for the demo's provider: one for each algorithm that the proxy accepts. */
import { generateKeyPairSync, randomUUID } from "node:crypto";

/** Private JWKs, to sign with; what the provider publishes is their public half. */
export function createSigningKeys(): object[] {
  const pairs = [
    { alg: "RS256", key: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey },
    { alg: "ES256", key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey },
    { alg: "EdDSA", key: generateKeyPairSync("ed25519").privateKey },
  ];
  return pairs.map(({ alg, key }) => ({
    ...key.export({ format: "jwk" }),
    alg,
    use: "sig",
    kid: randomUUID(),
  }));
}
