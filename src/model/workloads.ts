/**
 * Machines that are known by an identity of ours: what they are, and the register that the admin API,
 * the feed and the enrolment endpoint share. The register itself is in `authority/`.
 */

/** `proxy`: may follow the feed. `workload`: a service or a sidecar; may not. */
export const WORKLOAD_KINDS = ["proxy", "workload"] as const;
export type WorkloadKind = (typeof WORKLOAD_KINDS)[number];

/**
 * How it proves that it is the one: with a certificate of our own authority, or by signing assertions
 * with a key that is registered (RFC 7523). A proxy always has a certificate: the feed is mTLS.
 */
export const ENROLMENT_METHODS = ["mtls", "private-key-jwt"] as const;
export type EnrolmentMethod = (typeof ENROLMENT_METHODS)[number];

/** Invited: a join token is out. Lapsed: it was not redeemed in time. Expired: it did not renew in time. */
export const WORKLOAD_STATES = ["invited", "lapsed", "enrolled", "expired", "disabled"] as const;
export type WorkloadState = (typeof WORKLOAD_STATES)[number];

/** The one key that counts for a machine now. Times are milliseconds since the epoch. */
export interface RegisteredKey {
  /** RFC 7638 thumbprint of the public key; with private-key-jwt also its `kid`. */
  readonly thumbprint: string;
  readonly registeredMs: number;
  /** The certificate's, or the key's, end. */
  readonly notAfterMs: number;
  /** Hex, of the newest certificate for this key; undefined with private-key-jwt. */
  readonly serial: string | undefined;
}

export interface Workload {
  readonly name: string;
  readonly kind: WorkloadKind;
  readonly method: EnrolmentMethod;
  readonly state: WorkloadState;
  /** What it is called in certificates: `spiffe://<trust domain>/sallyport/<kind>/<name>`. */
  readonly id: string;
  readonly createdMs: number;
  readonly createdBy: string;
  /** Undefined until a join token is redeemed, and after `reenrol` with `now`. */
  readonly key: RegisteredKey | undefined;
  /** A join token that can still be redeemed ends then. */
  readonly invitedUntilMs: number | undefined;
  readonly disabled:
    | { readonly atMs: number; readonly by: string; readonly reason: string | undefined }
    | undefined;
  /** When it followed the feed, enrolled or renewed last, to within some minutes; undefined: never. */
  readonly seenMs: number | undefined;
  /**
   * Somebody asked for a renewal with a key that had been replaced: it, or the key that replaced it,
   * is in two hands. Goes when the machine is enrolled anew.
   */
  readonly suspicion: { readonly atMs: number; readonly address: string } | undefined;
  /** The commit that last changed it; what `expect` compares and ETags are made of. */
  readonly number: number;
}

export interface Invitation {
  readonly workload: Workload;
  /** The join token. Shown once, kept by nobody but its reader: the store has its hash. */
  readonly token: string;
  readonly expiresMs: number;
}

/** Why a change was not made. `changed`: `expect` does not hold, or another was faster. */
export interface WorkloadRefusal {
  readonly refused: "exists" | "absent" | "disabled" | "changed";
}

export interface WorkloadChange {
  readonly by: string;
  /** The `number` that the workload must have now; left out: whatever it is. */
  readonly expect?: number | undefined;
}

/** Every verb rejects as `Store` does. Names that are no workload names are `absent`; `enrol` rejects with TypeError. */
export interface WorkloadRegister {
  /** A new machine. One whose invitation lapsed before it was redeemed may be invited again so. */
  enrol(
    name: string,
    options: {
      readonly kind: WorkloadKind;
      readonly method: EnrolmentMethod;
      readonly by: string;
    },
  ): Promise<Invitation | WorkloadRefusal>;
  /**
   * A new join token for a machine that is known. What it has now ends when the token is redeemed; with
   * `now`, at once, and a machine that was disabled is so no longer: nothing of what it had is good.
   * Without `now` one that is disabled is refused. An earlier token that is still out ends in either case.
   */
  reenrol(
    name: string,
    options: WorkloadChange & { readonly now?: boolean | undefined },
  ): Promise<Invitation | WorkloadRefusal>;
  get(name: string): Promise<Workload | undefined>;
  /** By name, from after `after` on. `unusedSinceMs`: only those not seen since, which may give short pages. */
  list(options: {
    readonly after?: string | undefined;
    readonly limit: number;
    readonly unusedSinceMs?: number | undefined;
  }): Promise<{ readonly workloads: readonly Workload[]; readonly next: string | undefined }>;
  /** From now on nothing of it is accepted, its join token included. */
  disable(
    name: string,
    options: WorkloadChange & { readonly reason?: string | undefined },
  ): Promise<Workload | WorkloadRefusal>;
  enable(name: string, options: WorkloadChange): Promise<Workload | WorkloadRefusal>;
  /** Forgets it. Its certificate, while it lasts, names nobody. */
  remove(
    name: string,
    options: WorkloadChange,
  ): Promise<{ readonly removed: true } | WorkloadRefusal>;
  /** It was there just now. Free: written every few minutes, many at once. */
  seen(name: string): void;
  /** Writes what `seen` has collected. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
