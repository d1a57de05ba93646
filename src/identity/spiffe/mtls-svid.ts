/**
 * The rules of X.509-SVIDs (SPIFFE X509-SVID specification) on a certificate and on the path that it was
 * verified by. What TLS takes for a good certificate may be none of these: an authority that shows its
 * own certificate, one with several names.
 */
import type { Certificate } from "../../crypto/certificate.ts";
import { parseSpiffeId, type SpiffeId } from "../../crypto/spiffe-id.ts";

/** Which rule is broken. */
export interface SvidFault {
  readonly detail: string;
}

/**
 * Whether a certificate says that it is of this trust domain, in whatever spelling: then its authenticator
 * judges it, and refuses what is spelt wrongly.
 */
export function claimsTrustDomain({ extensions }: Certificate, trustDomain: string): boolean {
  return extensions.uris.some(
    (uri) => CLAIM.exec(uri)?.[1]?.toLowerCase() === trustDomain.toLowerCase(),
  );
}

/** Scheme in any case, slashes, user name, host. */
const CLAIM = /^spiffe:\/*(?:[^/@]*@)?([^/?#:%]*)/i;

/** The ID of an end entity. */
export function svidOf({ extensions }: Certificate): SpiffeId | SvidFault {
  const { uris, authority, signsHandshakes, signsCertificates, signsLists } = extensions;
  const [uri] = uris;
  // Section 2: with two, whoever reads the first and whoever reads the last see two callers.
  if (uri === undefined || uris.length > 1) {
    return { detail: `it has ${uris.length} URIs, and an X.509-SVID exactly one` };
  }
  const id = parseSpiffeId(uri);
  if (id === undefined) return { detail: "its URI is no SPIFFE ID" };
  // Section 3.1 and 4.1: an authority that shows its certificate is nobody's workload.
  if (id.path === "") return { detail: "its SPIFFE ID has no path: it names the trust domain" };
  if (authority) return { detail: "it is the certificate of an authority" };
  // Section 4.3.
  if (signsHandshakes !== true) return { detail: "its key usage has no digitalSignature" };
  if (signsCertificates === true) return { detail: "its key usage has keyCertSign" };
  if (signsLists === true) return { detail: "its key usage has cRLSign" };
  return id;
}

/** What is wrong with the certificates that sign on the path, the anchor last; undefined: nothing. */
export function signersFault(signers: readonly Certificate[]): string | undefined {
  for (const [index, { subject, extensions }] of signers.entries()) {
    const { uris, authority, signsCertificates } = extensions;
    const own = uris.filter((uri) => /^spiffe:/i.test(uri));
    // Section 3.2: a signing certificate names no workload. Else a workload that got one could sign.
    if (own.length > 0 && (uris.length > 1 || parseSpiffeId(own[0] ?? "")?.path !== "")) {
      return `${subject}: signs, and its SPIFFE ID is not that of a trust domain`;
    }
    // An anchor is trusted by the bundle, whatever else it says of itself.
    if (index === signers.length - 1) continue;
    if (!authority) return `${subject}: signs, and is no authority`;
    // Section 4.3.
    if (signsCertificates !== true)
      return `${subject}: signs, and its key usage has no keyCertSign`;
  }
  return undefined;
}
