/**
 * What is on record beside requests: what happened to the log itself, what looked like an attack, what
 * a quota said. An event is a record of the audit log like any other, and so under its proofs.
 */

/** The closed list; docs/audit.md says of each what it means. */
export const EVENTS = {
  "torn-record":
    "A file of the log ended in a line without its end: its process died while it wrote.",
  "tree-begun":
    "The tree was begun beside records that were there before it: at the first start that has one, after a crash before its first checkpoint, or because it was taken away.",
  "file-removed": "A file of the log was removed because it was older than `audit.keep`.",
  "sink-skipped":
    "A sink did not get all records: it lagged beyond its `maxLag`, or its receiver refused some.",
  "key-rotated": "The log's checkpoints are signed with another key from here on.",
  "person-erased": "The key of one person's redacted values was thrown away.",
  "forked-log": "A witness holds a checkpoint that this log does not lead on from.",
  "refusal-burst": "A principal or an address was refused more often than its threshold.",
  "new-network": "A principal came from a network that it had not used before.",
  "impossible-rate": "A principal asked faster than it can.",
  "revoked-credential": "A credential was used that had been taken away.",
  "replayed-proof": "A proof of possession was used twice.",
  "route-probing": "A caller was refused on more routes than its threshold.",
  "two-places": "One token was used from two networks at once.",
  "sign-answered":
    "Access was taken away from a principal because of a sign of a breach (`signs.answer`).",
  "quota-warning": "A principal has used the stated share of its plan's quota.",
  "quota-exceeded": "A principal has used up its plan's quota.",
} as const satisfies Readonly<Record<string, string>>;

export type EventName = keyof typeof EVENTS;

export interface EventRecord {
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly event: EventName;
  /** For the operator: one sentence; no secret. */
  readonly detail: string;
  /** `<authenticator>/<subject>` of whom it is about. */
  readonly principal?: string | undefined;
  /** Address or network that it is about. */
  readonly address?: string | undefined;
  /** Ids of decisions that show it: at most EVENT_LIMITS.decisions. */
  readonly decisions?: readonly string[] | undefined;
  /** What was counted or named, in alphabetical order of the names: numbers, or short texts. */
  readonly figures?: Readonly<Record<string, number | string>> | undefined;
}

export const EVENT_LIMITS = {
  /** A few are enough to begin with; the log has the rest. */
  decisions: 8,
  /** Characters of a text. */
  text: 1024,
} as const;

/** Where events are written: the audit log. */
export interface EventLog {
  /** Never throws; what cannot be written is logged and counted. */
  event(record: EventRecord): void;
}
