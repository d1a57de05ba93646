/**
 * X.509-SVID (X509-SVID sections 2 to 5): what makes a certificate the identity of a workload. Refuses
 * a leaf with another number of URI names than one, with an authority's rights, without
 * digitalSignature, or of a trust domain alone.
 */
import { parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { DerReader, derFault, TAG } from "./der.ts";

export interface SvidLeaf extends SpiffeId {
  readonly id: string;
}

/** Whom the leaf names, or what is wrong with it, in words. */
export function readSvidLeaf({ extensions }: Certificate): SvidLeaf | string {
  const { uris, authority, signsHandshakes, signsCertificates, signsLists } = extensions;
  const [id = ""] = uris;
  // Section 2: exactly one, whatever its scheme.
  if (uris.length !== 1) return `${uris.length} URI names where an SVID has one`;
  const parsed = parseSpiffeId(id);
  if (parsed === undefined) return "its URI name is no SPIFFE ID";
  if (parsed.path === "") return "it names a trust domain, and no workload";
  // Section 4.1 and 4.3.
  if (authority) return "it is an authority (basic constraints)";
  if (signsHandshakes !== true) return "its key usage has no digitalSignature";
  if (signsCertificates === true || signsLists === true) {
    return "its key may sign certificates or revocation lists";
  }
  return { id, ...parsed };
}

/** DER certificates that stand one after the other. Throws `certificate-invalid`. */
export function readCertificateList(bytes: Buffer, limit: number): Certificate[] {
  const reader = new DerReader(bytes);
  const certificates: Certificate[] = [];
  while (!reader.done) {
    if (certificates.length >= limit) throw derFault(`more than ${limit} certificates`);
    certificates.push(parseCertificate(reader.next(TAG.sequence).bytes));
  }
  return certificates;
}
