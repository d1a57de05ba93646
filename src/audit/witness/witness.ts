/**
 * What a witness is to whoever sends it checkpoints. Each way to reach one is one file beside this, with
 * one outline.
 */
import type { Exchanged, ExchangeLimits, Outgoing } from "../../platform/bounded-exchange.ts";

/** A signed checkpoint of the log. */
export interface Checkpoint {
  /** Records under it. */
  readonly size: number;
  /** The signed note, as it is sent. */
  readonly note: string;
}

/** What a witness may be asked to believe. */
export interface CheckpointSource {
  /** The newest checkpoint; undefined before the first. */
  newest(): Checkpoint | undefined;
  /** RFC 9162 consistency proof between two sizes, 0 < from < to. May throw or reject. */
  consistency(from: number, to: number): readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
}

/** What came of sending one checkpoint. */
export type WitnessAnswer =
  | {
      readonly outcome: "witnessed";
      /** Of HTTP. */
      readonly status: number;
      /** Lines of a signed note, verified, each with its line feed; of other kinds none. */
      readonly cosignatures: readonly string[];
    }
  | {
      /**
       * `unreachable`: no answer, or one that says to try again. `refused`: it does not take what we
       * send. `forked`: it holds a checkpoint that this log does not lead to.
       */
      readonly outcome: "unreachable" | "refused" | "forked";
      /** For the operator; no secret. */
      readonly detail: string;
    };

export interface Witness {
  readonly name: string;
  readonly type: "tlog-witness" | "webhook" | "object-store";
  /** Origin of its URL: the rest may be a secret. */
  readonly place: string;
  /**
   * Sends one checkpoint. `known` is the size that the witness is thought to hold. Never rejects.
   */
  send(
    checkpoint: Checkpoint,
    given: { readonly known: number; readonly timeoutMs: number },
  ): Promise<WitnessAnswer>;
}

export interface WitnessDeps {
  readonly exchange: (outgoing: Outgoing, limits: ExchangeLimits) => Promise<Exchanged>;
  readonly consistency: CheckpointSource["consistency"];
}

export const WITNESS_LIMITS = {
  /** Bytes of an answer: cosignatures, a size, or a checkpoint that is compared. */
  answer: 64 * 1024,
} as const;
