/** What the other side of a TLS connection has shown of itself. */
import type { TLSSocket } from "node:tls";

const LIMITS = {
  /** Certificates that are looked at; real chains have four. */
  certificates: 16,
} as const;

/** The other side's certificates as they were sent, its own first. The order of the others says nothing. */
export function presentedBy(socket: TLSSocket): Buffer[] {
  const sent: Buffer[] = [];
  let certificate = socket.getPeerX509Certificate();
  // Node links what was sent, Bun also the authority that it found itself; neither ends a circle.
  while (certificate !== undefined && sent.length < LIMITS.certificates) {
    const { raw } = certificate;
    if (sent.some((other) => other.equals(raw))) break;
    sent.push(raw);
    certificate = certificate.issuerCertificate;
  }
  return sent;
}
