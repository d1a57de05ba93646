/** What a verification found: what is whole, what is not, and what nobody has proven yet. */

/** Each way in which a log can be other than what was sealed. */
export const FAULTS = {
  altered: "a record was changed",
  missing: "records are missing",
  doubled: "a record stands there once more",
  reordered: "a record stands in another place",
  added: "a line was put in",
  truncated: "the file ends before its last sealed record",
  appended: "something was added behind the end of a file that had ended",
  unreadable: "a file cannot be read",
  root: "the records do not make the root that was signed",
  signature: "a checkpoint is not signed by the key of its time",
  key: "the history of keys does not hold",
  checkpoint: "a checkpoint does not read, or contradicts those before it",
  kept: "the log does not begin with a checkpoint that was kept elsewhere",
  witness: "the log is not the one that a witness has seen",
  hashes: "a stored hash is not that of its record, which is whole",
  retention: "a file is gone that was to be kept longer",
  time: "the time of a checkpoint cannot be true",
} as const satisfies Readonly<Record<string, string>>;

export type FaultKind = keyof typeof FAULTS;

export interface Fault {
  readonly kind: FaultKind;
  readonly detail: string;
  readonly segment?: string;
  /** From 1, as the file is now. */
  readonly line?: number;
  /** Where that line begins. */
  readonly byte?: number;
  /** Place in the tree, from 0. */
  readonly leaf?: number;
  /** Records that it is about, where it is more than one. */
  readonly records?: number;
  readonly decisionId?: string;
}

export interface WitnessFinding {
  readonly name: string;
  /** Size up to which it has seen the log; 0 where nothing of it holds. */
  readonly size: number;
  /** When, by the witness's own clock. */
  readonly time?: string;
  /** Whether a cosignature of a key that was given proves it. */
  readonly proven: boolean;
  /** Of the configuration, where nothing proves it. */
  readonly type?: "object-store" | "tlog-witness" | "webhook";
}

export interface KeptFinding {
  readonly name: string;
  readonly size: number;
  /** Whether the log begins with it. */
  readonly holds: boolean;
}

export interface VerifyReport {
  /** Name of the log; undefined where nothing is sealed yet. */
  readonly origin: string | undefined;
  /** Records that checkpoints cover. */
  readonly records: number;
  /** Of the last checkpoint, base64. */
  readonly root: string | undefined;
  readonly checkpoints: number;
  /** Of the last checkpoint. */
  readonly time: string | undefined;
  readonly segments: number;
  /** At most LIMITS.faults of them and LIMITS.hashes, the first in the order of the tree first. */
  readonly faults: readonly Fault[];
  readonly faultCount: number;
  /** Behind the last checkpoint: nothing proves them yet. */
  readonly unsealed: { readonly records: number; readonly segments: readonly string[] };
  /** Last lines without their end: no records. */
  readonly torn: readonly { readonly segment: string; readonly bytes: number }[];
  /** Files that retention took away, as a record says: their records are proven by hash alone. */
  readonly removed: readonly { readonly segment: string; readonly records: number }[];
  readonly witnesses: readonly WitnessFinding[];
  /**
   * Times of checkpoints, which no key signs, that cannot be true: the first of them in words. Faults where a time
   * is relied on (`keep`).
   */
  readonly times: { readonly count: number; readonly told: readonly string[] };
  /**
   * Files that had ended, by one checkpoint, and went on, by a later one: what nobody had sealed behind an end is
   * `appended`, and whoever seals afterwards may not wipe that out. In words, the first of them.
   */
  readonly resumed: { readonly count: number; readonly told: readonly string[] };
  /** Checkpoints that were given. */
  readonly kept: readonly KeptFinding[];
  /** Sealed records that no witness has proven to have seen, and that no kept checkpoint covers. */
  readonly unwitnessed: number;
  /** What was believed: vkeys. */
  readonly keys: readonly string[];
}

const LIMITS = {
  /** Faults that are listed: the first ones tell the rest. */
  faults: 1000,
  /** … and wrong hashes of records that are whole, of which there may be as many as records: they hide no other fault. */
  hashes: 100,
} as const;

/** Collects faults; the tree's order is made at the end. */
export class Faults {
  readonly #list: Fault[] = [];
  readonly #hashes: Fault[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(fault: Fault): void {
    this.#count += 1;
    if (fault.kind === "hashes") {
      if (this.#hashes.length < LIMITS.hashes) this.#hashes.push(fault);
    } else if (this.#list.length < LIMITS.faults) this.#list.push(fault);
  }

  list(): Fault[] {
    return [...this.#list, ...this.#hashes].toSorted(
      (left, right) => (left.leaf ?? Infinity) - (right.leaf ?? Infinity),
    );
  }
}
