/** What a sink is to who feeds it: one verb, whatever lies behind it. */
import type { RecordLine } from "../../model/record-feed.ts";

/** One record on its way. */
export interface SinkRecord {
  /**
   * `<segment>:<offset>`: where it stands in the log. The same record has the same id each time that it
   * is delivered, so a receiver can drop what it has already.
   */
  readonly id: string;
  /** As it was written, without its line feed. */
  readonly line: string;
  readonly entry: RecordLine;
}

export type Delivery =
  /** `refused`: of them, records that the receiver did not take and does not want again. */
  | { readonly kind: "delivered"; readonly refused: number; readonly why?: string | undefined }
  /** A fault that may pass: the same is to be delivered again, not before `afterMs`. */
  | { readonly kind: "retry"; readonly why: string; readonly afterMs?: number | undefined }
  /** These records are not taken, now or later. */
  | { readonly kind: "refused"; readonly why: string }
  /** Fewer at once may be taken. */
  | { readonly kind: "too-large"; readonly why: string };

export interface Sink {
  /** Never rejects. Settles within a bounded time, save where its `signal` has to end it. */
  deliver(records: readonly SinkRecord[], signal: AbortSignal): Promise<Delivery>;
  close?(): void;
}
