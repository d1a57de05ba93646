/** A machine's side of `POST /assertion-keys`: has a key of its own published, with a proof that it has it. */
import { createHash } from "node:crypto";
import { pemBlocks } from "../../crypto/pem.ts";
import { SallyportError } from "../../model/errors.ts";
import type { KeyObject } from "node:crypto";
import type { KeyTimes } from "./machine-keys.ts";
import { sendProof } from "./enrolment-client.ts";
import { proofKeyOf, PROOF_TYPES, signProof } from "./enrolment-proof.ts";
import type { MachineIdentity } from "./machine-identity.ts";

export interface KeyToPublish {
  readonly key: { readonly privateKey: KeyObject };
  readonly published: KeyTimes;
}

/** Asks one authority after the other: some may just be relays. Rejects with `enrolment-failed`. */
export async function publishKey(
  identity: Pick<MachineIdentity, "issuer" | "authorities" | "certificatePem" | "keyPem" | "roots">,
  { key, published }: KeyToPublish,
  nowMs: number,
): Promise<void> {
  const { issuer, certificatePem, keyPem, roots } = identity;
  const { activeMs, retiredMs, removedMs } = published;
  const own = { certificate: certificatePem, key: keyPem };
  let last: unknown = new SallyportError("enrolment-failed", "there is no authority to ask");
  for (const authority of identity.authorities) {
    const claims = { old: thumbprintOf(certificatePem), activeMs, retiredMs, removedMs };
    const proofKey = proofKeyOf(key.privateKey);
    const proof = signProof(proofKey, {
      type: PROOF_TYPES.assertionKey,
      audience: issuer,
      nowMs,
      claims: { jwk: proofKey.jwk, ...claims },
    });
    try {
      // oxlint-disable-next-line no-await-in-loop -- the next only where this one does not
      const answer = await sendProof(new URL("/assertion-keys", authority), proof, { roots, own });
      if (answer.status === 200) return;
      const code = answer.code ?? String(answer.status);
      last = new SallyportError("enrolment-failed", `${authority} publishes no key: ${code}`);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

function thumbprintOf(certificatePem: string): string {
  const [der] = pemBlocks(certificatePem, "CERTIFICATE");
  if (der === undefined) throw new TypeError("an identity without a certificate");
  return createHash("sha256").update(der).digest("base64url");
}
