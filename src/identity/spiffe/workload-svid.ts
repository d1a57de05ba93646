/**
 * What an agent hands out as our identity → a checked one. Refuses (`workload-api-failed`) an SVID that
 * no peer would take, so that the good one from before stays: a leaf that is no X.509-SVID or names
 * another ID than the message does, a key that is another's, a chain that does not lead to the bundle,
 * times in which it is not valid now.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { type Certificate, CLIENT_AUTH, SERVER_AUTH } from "../../crypto/certificate.ts";
import { checkStanding, findChain, isChainFault } from "../../crypto/certificate-chain.ts";
import { pemText } from "../../crypto/issue-certificate.ts";
import { readCertificateList } from "../../crypto/x509-svid.ts";
import { SallyportError } from "../../model/errors.ts";
import { parseSpiffeId } from "../../crypto/spiffe-id.ts";
import { signersFault, svidOf } from "./mtls-svid.ts";
import type { WorkloadSvid } from "./workload-source.ts";
import type { X509SvidMessage, X509SvidResponse } from "../../wire/workload-api-messages.ts";

const LIMITS = {
  /** Certificates of one SVID; the deepest hierarchies have four. */
  chain: 8,
  /** Authorities of one trust domain: two or three, while they rotate. */
  authorities: 256,
} as const;

/**
 * The one that is ours: of several the one with this ID, else the first, which is the default
 * (Workload API section 5.2.1).
 */
export function chooseSvid(
  { svids }: X509SvidResponse,
  id: string | undefined,
  nowMs: number,
): WorkloadSvid {
  const chosen = id === undefined ? svids[0] : svids.find(({ spiffeId }) => spiffeId === id);
  if (chosen !== undefined) return checkSvid(chosen, nowMs);
  if (svids.length === 0) throw fault("no identity");
  const ids = svids.slice(0, 5).map(({ spiffeId }) => spiffeId);
  throw fault(`no identity ${id}, but ${ids.join(", ")}`);
}

function checkSvid(message: X509SvidMessage, nowMs: number): WorkloadSvid {
  const { spiffeId } = message;
  if (parseSpiffeId(spiffeId) === undefined) throw fault("an identity that is no SPIFFE ID");
  const of = (detail: string): SallyportError => fault(`an SVID for ${spiffeId}: ${detail}`);
  const chain = list(message.certificates, LIMITS.chain, (detail) => of(`its chain: ${detail}`));
  // Of an authority that was renewed under its key, the one of before may stand beside it.
  const anchors = readBundle(message.bundle, (detail) => of(`its bundle: ${detail}`)).filter(
    ({ notBefore, notAfter }) => nowMs >= notBefore && nowMs < notAfter,
  );
  const [leaf, ...presented] = chain;
  if (leaf === undefined) throw of("it has no certificate");
  const named = svidOf(leaf);
  if ("detail" in named) throw of(named.detail);
  const [id] = leaf.extensions.uris;
  if (id !== spiffeId) throw of(`its certificate is that of ${id}`);
  const key = privateKey(message.key, of);
  if (!publicPart(key).equals(leaf.spki)) throw of("its key is another one's");
  // Ours to callers and to services; an extended key usage, where there is one, has both (section 4.4).
  for (const usage of [SERVER_AUTH, CLIENT_AUTH]) {
    const trust = { anchors, lists: undefined };
    const found = findChain(leaf, { presented, trust, usage });
    if (isChainFault(found)) throw of(found.detail);
    const standing = checkStanding(found, undefined, nowMs);
    if (isChainFault(standing)) throw of(standing.detail);
    const signers = signersFault(found.certificates.slice(1));
    if (signers !== undefined) throw of(signers);
  }
  return Object.freeze({
    spiffeId,
    trustDomain: named.trustDomain,
    certificatePem: chain.map(({ der }) => pemText("CERTIFICATE", der)).join(""),
    keyPem: key.export({ type: "pkcs8", format: "pem" }),
    thumbprint: leaf.thumbprint,
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
  });
}

/** The authorities of one trust domain. Throws what `say` makes of what is wrong. */
export function readBundle(
  bytes: Buffer,
  say: (detail: string) => SallyportError,
): readonly Certificate[] {
  const anchors = list(bytes, LIMITS.authorities, say);
  if (anchors.length === 0) throw say("a bundle without an authority");
  for (const { extensions, subject } of anchors) {
    if (!extensions.authority || extensions.signsCertificates === false) {
      throw say(`the certificate of ${subject || "nobody"} is not that of an authority`);
    }
  }
  return anchors;
}

function list(
  bytes: Buffer,
  limit: number,
  say: (detail: string) => SallyportError,
): Certificate[] {
  try {
    return readCertificateList(bytes, limit);
  } catch (error) {
    if (error instanceof SallyportError) throw say(error.message);
    throw error;
  }
}

function privateKey(der: Buffer, say: (detail: string) => SallyportError): KeyObject {
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } catch {
    // What the runtime says may hold pieces of the key.
    throw say("its key is none that can be used (PKCS#8)");
  }
}

function publicPart(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: "spki", format: "der" });
}

function fault(detail: string): SallyportError {
  return new SallyportError("workload-api-failed", `the agent sent ${detail}`);
}
