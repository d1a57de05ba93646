/**
 * What this machine's SPIFFE agent tells us: who we are, and whom other trust domains are verified by.
 * All of it changes while it is used; whoever holds on to it asks again, or is told.
 */
import type { BundlePart, TrustBundle } from "./trust-bundle.ts";

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
export type WorkloadPart = "svid" | BundlePart;

export interface WorkloadSource {
  /** Undefined: there is none yet, or the last one has expired. */
  svid(): WorkloadSvid | undefined;
  /**
   * What speaks for a trust domain, by its name: of the half that is asked for. Another content is another
   * reference. Undefined: the agent knows no such domain, or has said nothing yet.
   */
  bundle(part: BundlePart, trustDomain: string): TrustBundle | undefined;
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
