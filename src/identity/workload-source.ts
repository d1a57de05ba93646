/**
 * What this machine's SPIFFE agent tells us: who we are, and whom other trust domains are verified by.
 * All of it changes while it is used; whoever holds on to it asks again, or is told.
 */
import type { Certificate } from "../crypto/certificate.ts";
import type { JsonObject } from "../model/json.ts";

/** Our own identity as it is now: verified, its key with it. Never logged. */
export interface WorkloadSvid {
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** The leaf, then those of the authorities between it and the root. */
  readonly certificatePem: string;
  /** PKCS#8. */
  readonly keyPem: string;
  /** base64url SHA-256 of the leaf. */
  readonly thumbprint: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** What can be had of it; each comes by a stream of its own. */
export type WorkloadPart = "svid" | "x509-bundles" | "jwt-bundles";

export interface WorkloadSource {
  /** Undefined: there is none yet, or the last one has expired. */
  svid(): WorkloadSvid | undefined;
  /** The authorities of a trust domain, by its name. Undefined: the agent knows no such domain. */
  x509Bundle(trustDomain: string): readonly Certificate[] | undefined;
  /** The JWT authorities of a trust domain, as a JWKS. */
  jwtBundle(trustDomain: string): JsonObject | undefined;
  /**
   * Asks the agent for this from now on; resolves when it has answered, well or not, or has taken too
   * long. Never rejects.
   */
  want(part: WorkloadPart): Promise<void>;
  /** Told after each change is in force, expiry of the SVID among them. Returns what ends that. */
  watch(changed: (part: WorkloadPart) => void): () => void;
  /** How it does, in words for operators: one text for each part that somebody wants. */
  standing(): Readonly<Partial<Record<WorkloadPart, string>>>;
  close(): void;
}
