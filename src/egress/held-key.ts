/** A key as it was obtained for one service. A secret, but for its times. */
export interface HeldKey {
  /** What `Authorization` says. */
  readonly authorization: string;
  /** `ath` of proofs that go with it (RFC 9449 section 4.2); undefined where it needs none. */
  readonly ath: string | undefined;
  /** Monotonic milliseconds: when it was asked for, and when it is no good any more. */
  readonly obtainedAt: number;
  readonly expiresAt: number;
}
