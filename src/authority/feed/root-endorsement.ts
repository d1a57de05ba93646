/**
 * How a new root of the certificate authority becomes trusted over the feed: an older one vouches for it.
 * The feed's key alone does not do: whoever steals it could name a root of his own, and would stay
 * trusted after the key was replaced.
 *
 * An endorsement is a certificate, signed by a root that is known, for the key of the new one, with its
 * thumbprint in a URI. It is none for TLS and none for a key of the feed.
 */
import { type Certificate, parseCertificate } from "../../crypto/certificate.ts";
import { checkStanding, findChain, isChainFault } from "../../crypto/certificate-chain.ts";
import { pemBlocks } from "../../crypto/pem.ts";
import { FEED_USAGE } from "./feed-certificate.ts";
import type { FeedCertifier } from "./feed-signer.ts";

const LIMITS = {
  /** As long as the certificate of a feed key; made anew with it. */
  lifetimeMs: 12 * 3600_000,
} as const;

/** DER in base64, one a root; none where there is only one root. */
export function endorseRoots(ca: FeedCertifier): string[] {
  const roots = readRootList(ca.roots());
  if (roots.length < 2) return [];
  return roots.map((root) => {
    const { der } = ca.issue({
      publicKey: root.key,
      commonName: "sallyport root",
      uris: [uriOf(root)],
      dnsNames: [],
      ipAddresses: [],
      usages: ["feed"],
      lifetimeMs: LIMITS.lifetimeMs,
    });
    return der.toString("base64");
  });
}

/** Those of `named` that are neither known nor vouched for by one that is. */
export function unprovenRoots(
  named: readonly Certificate[],
  known: readonly Certificate[],
  { endorsements, nowMs }: { readonly endorsements: readonly string[]; readonly nowMs: number },
): readonly Certificate[] {
  const thumbprints = new Set(known.map(({ thumbprint }) => thumbprint));
  const unknown = named.filter(({ thumbprint }) => !thumbprints.has(thumbprint));
  if (unknown.length === 0) return [];
  const proven = endorsements.flatMap((text) => readEndorsement(text, known, nowMs));
  return unknown.filter((root) => !proven.some((one) => endorses(one, root)));
}

/** Throws `certificate-invalid` for what is no certificate. */
export function readRootList(pems: readonly string[]): Certificate[] {
  return pems.flatMap((pem) => pemBlocks(pem, "CERTIFICATE")).map(parseCertificate);
}

function readEndorsement(
  text: string,
  known: readonly Certificate[],
  nowMs: number,
): Certificate[] {
  let leaf: Certificate;
  try {
    leaf = parseCertificate(Buffer.from(text, "base64"));
  } catch {
    return [];
  }
  const trust = { anchors: known, lists: undefined };
  const chain = findChain(leaf, { presented: [], trust, usage: FEED_USAGE });
  if (isChainFault(chain) || chain.certificates.length !== 2) return [];
  return isChainFault(checkStanding(chain, undefined, nowMs)) ? [] : [leaf];
}

function endorses({ spki, extensions }: Certificate, root: Certificate): boolean {
  const { authority, uris, usages } = extensions;
  const fits = !authority && usages?.includes(FEED_USAGE) === true && spki.equals(root.spki);
  return fits && uris.length === 1 && uris[0] === uriOf(root);
}

function uriOf({ thumbprint }: Certificate): string {
  return `sallyport:root:${thumbprint}`;
}
