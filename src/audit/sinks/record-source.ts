/** The log as a sink reads it: by itself, from where it stands, at its own pace. */

export interface SegmentFigures {
  readonly segment: string;
  /** Bytes until now; of a compressed one, about as many. */
  readonly bytes: number;
  /** It grows no more. */
  readonly final: boolean;
  /** Only what is not compressed can be read from its midst without reading what lies before. */
  readonly compressed: boolean;
}

export interface RecordSource {
  /** Those that are there, oldest first; of those in `done` only that they are. */
  list(done: ReadonlySet<string>): Promise<{
    readonly names: ReadonlySet<string>;
    readonly segments: readonly SegmentFigures[];
  }>;
  /**
   * Whole lines from `offset` on, about `maxBytes` of them and at least one; nothing where there is none
   * yet. Rejects where the segment is not there any more.
   */
  read(segment: string, offset: number, maxBytes: number): Promise<Uint8Array>;
  /** The last beginning of a line that is not behind `offset`. */
  lineStart(segment: string, offset: number): Promise<number>;
  close(): Promise<void>;
}
