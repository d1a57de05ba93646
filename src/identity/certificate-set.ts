/**
 * The authenticators of certificates that one route names, or all there are. The first one that a
 * certificate is for judges it, and no other: a refusal by one is never made good by the next.
 */
import type { CertificateVerifier } from "../model/verifiers.ts";

export function createCertificateSet(ways: readonly CertificateVerifier[]): CertificateVerifier {
  const [only] = ways;
  if (ways.length === 1 && only !== undefined) return only;
  return {
    verify(tls, nowMs) {
      for (const one of ways) {
        const found = one.verify(tls, nowMs);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}
