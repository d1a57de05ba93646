/**
 * Records as they are read back while they are written: what seals the log, copies it, counts usage
 * and looks for signs of a breach gets them in this form, in a thread of its own, off the way of
 * requests. The files are the record, so whoever lags or dies goes on from where it stood.
 */
import type { EventName } from "./events.ts";
import type { AttributeValue, PrincipalKind } from "./principal.ts";
import type { Reason } from "./reason.ts";

/** Whole lines of one segment (a file of the log), in the order in which they stand there. */
export interface RecordBatch {
  /** Name of the file, without its folder. */
  readonly segment: string;
  /** Bytes of the segment before this batch. */
  readonly offset: number;
  /** The lines, each with its line feed. Not to be kept or changed: the memory serves again. */
  readonly bytes: Uint8Array;
  /** Lines in it. */
  readonly count: number;
  /** The records, parsed once for all who ask. Lines that are none are left out, and counted by the reader. */
  entries(): readonly RecordLine[];
}

/** How a segment ended. */
export interface SegmentEnd {
  readonly segment: string;
  /** Bytes of whole lines. */
  readonly bytes: number;
  /** Bytes of a last line without its end: no record. */
  readonly tornBytes: number;
}

/**
 * Somebody who takes all records, in step with the others: does not wait for anything. What needs the
 * network lags behind by itself (audit/sinks).
 */
export interface RecordConsumer {
  /** For the log. */
  readonly name: string;
  /** Bytes of the segment that it knows of for good (after a crash too): it is given what comes then. */
  position(segment: string): number;
  /** Takes all of it, or throws and has taken nothing: then it is given the same again, a while later. */
  take(batch: RecordBatch): void;
  /** After the last batch of the segment; once in each run of the process, so perhaps again after a restart. */
  ended?(end: SegmentEnd): void;
  /**
   * Makes what it was given survive a crash. Called between batches, once a checkpoint if there was
   * anything since the last; those batches are on disk by then. One that throws is called again, a while
   * later, and the consumer is given nothing until then.
   */
  commit?(): void | Promise<void>;
  /** Time passes: called at least once a second. */
  tick?(nowMs: number): void;
  close?(): void | Promise<void>;
}

/** A line of the log by its members' own names; absent is absent (docs/audit.md). */
export type RecordLine = DecisionLine | CompletionLine | SummaryLine | EventLine;

export interface PrincipalLine {
  readonly attributes?: Readonly<Record<string, AttributeValue | { readonly long: string }>>;
  readonly authenticator: string;
  readonly groups?: readonly string[];
  readonly kind: PrincipalKind;
  readonly roles?: readonly string[];
  readonly subject: string;
}

export interface DecisionLine {
  readonly type: "decision";
  readonly action?: string;
  /** Hash of the policies that were in force. */
  readonly bundle?: string;
  readonly authn?: {
    readonly authenticator: string;
    readonly kind: string;
    readonly bound: boolean;
  };
  readonly asked?: object;
  readonly clientAddress?: string;
  readonly credentials?: readonly {
    readonly hash: string;
    readonly kind: string;
    readonly outcome: "used" | "refused" | "ignored";
  }[];
  readonly decision: "permit" | "deny";
  readonly decisionId: string;
  readonly detail?: string;
  readonly determining?: readonly string[];
  readonly host?: string;
  readonly httpVersion?: string;
  readonly listener: string;
  readonly method?: string;
  readonly path?: string;
  readonly peerAddress: string;
  readonly principal?: PrincipalLine;
  readonly query?: string;
  readonly reason: Reason;
  /** Members that stand as `hmac:…`. */
  readonly redacted?: readonly string[];
  readonly requestId: string;
  readonly route?: string;
  readonly service?: string;
  readonly stream?: string;
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string;
  /** What it counts for; `cost` left out is 1, `plan` none. */
  readonly usage?: { readonly cost?: number; readonly plan?: string };
  /** W3C trace id, 32 hexadecimal digits, where the request is part of a trace. */
  readonly trace?: string;
}

export interface CompletionLine {
  readonly type: "completion";
  readonly decisionId: string;
  readonly durationMs: number;
  readonly end: "complete" | Reason;
  readonly grpcStatus?: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly status: number;
  readonly time: string;
  readonly upstream?: string;
  readonly upstreamMs?: number;
}

export interface SummaryLine {
  readonly type: "summary";
  readonly counts: readonly {
    readonly cause: string;
    readonly count: number;
    readonly listener: string;
    readonly reason: Reason;
  }[];
  readonly from: string;
  readonly time: string;
}

export interface EventLine {
  readonly type: "event";
  readonly address?: string;
  readonly decisions?: readonly string[];
  readonly detail: string;
  readonly event: EventName;
  readonly figures?: Readonly<Record<string, number | string>>;
  readonly principal?: string;
  readonly time: string;
}
