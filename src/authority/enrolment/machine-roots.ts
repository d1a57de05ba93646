/** The authorities that a machine trusts: a list of certificates in PEM, each of an authority, and not none. */
import { parseCertificate } from "../../crypto/certificate.ts";
import { pemBlocks } from "../../crypto/pem.ts";
import { SallyportError } from "../../model/errors.ts";

const LIMITS = {
  /** Roots at once: two during a change; more would be a mistake that makes every handshake slower. */
  roots: 16,
} as const;

/** PEM of authorities, one each. Throws `enrolment-failed`. */
export function readRoots(value: unknown): string[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > LIMITS.roots) {
    throw failed("no authority is named");
  }
  return value.map((pem: unknown) => {
    const [der, ...more] = typeof pem === "string" ? pemBlocks(pem, "CERTIFICATE") : [];
    if (typeof pem !== "string" || der === undefined || more.length > 0) {
      throw failed("an authority is not one certificate in PEM");
    }
    if (!parseCertificate(der).extensions.authority) {
      throw failed("a certificate that is named as an authority is none");
    }
    return pem;
  });
}

function failed(message: string): SallyportError {
  return new SallyportError("enrolment-failed", message);
}
