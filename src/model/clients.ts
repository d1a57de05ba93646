/** Clients of the token endpoint, as configurations declare them and operators register them. */
import { z } from "zod";

/**
 * `client_id`. No slash and no colon: a SPIFFE ID, a service account and the subject of another
 * authenticator can then never be taken for one, nor the other way round.
 */
export const clientIdSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/,
    "letters, digits, '-', '.' and '_', with a letter or a digit at both ends (at most 128), such as billing-job",
  );

/** What a client is to policies. */
export interface ClientProfile {
  readonly id: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, string | boolean | number | readonly string[]>>;
}

/** The ways in which a client proves who it is. */
export const CLIENT_PROOFS = ["key", "certificate", "secret"] as const;
export type ClientProofType = (typeof CLIENT_PROOFS)[number];

export const CLIENT_LIMITS = {
  /** Of one client: what takes the place of another, and that other, for each way. */
  proofs: 16,
} as const;
