/** X.509-SVIDs and bundles as the Workload API hands them out: certificates in DER, one after the other. */
import { type Certificate, parseCertificate } from "./certificate.ts";
import { DerReader, derFault, TAG } from "./der.ts";

/** Throws `certificate-invalid`; also where there are more of them than the limit. */
export function readCertificateList(bytes: Buffer, limit: number): Certificate[] {
  const reader = new DerReader(bytes);
  const certificates: Certificate[] = [];
  while (!reader.done) {
    if (certificates.length >= limit) throw derFault(`more than ${limit} certificates`);
    certificates.push(parseCertificate(reader.next(TAG.sequence).bytes));
  }
  return certificates;
}
