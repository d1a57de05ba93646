/**
 * Frames as we write them (RFC 9113 section 6), gathered so that many go out in one write.
 *
 * Small ones are copied side by side into one buffer; large DATA is kept by reference. It refuses, by
 * assertion, what no peer may be sent: stream identifiers, increments and codes out of range.
 */

export class FrameWriter {
  /** The peer's SETTINGS_MAX_FRAME_SIZE: no frame's payload is longer. */
  maxFrameBytes = 16_384;

  /** Bytes that `take` would return. */
  get size(): number {
    return 0;
  }

  /** HEADERS, and CONTINUATION for what does not fit. The block is copied. */
  headers(streamId: number, block: Buffer, endStream: boolean): void {
    void [streamId, block, endStream];
  }

  /** DATA, in as many frames as needed; an empty one is written too. The bytes must not change until sent. */
  data(streamId: number, bytes: Buffer, endStream: boolean): void {
    void [streamId, bytes, endStream];
  }

  rstStream(streamId: number, code: number): void {
    void [streamId, code];
  }

  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    void pairs;
  }

  settingsAck(): void {}

  /** `opaque`: 8 bytes. */
  ping(opaque: Buffer, ack: boolean): void {
    void [opaque, ack];
  }

  goaway(lastStreamId: number, code: number): void {
    void [lastStreamId, code];
  }

  /** `streamId` 0 is the connection. */
  windowUpdate(streamId: number, increment: number): void {
    void [streamId, increment];
  }

  /** What was gathered since the last call, in order; empty if nothing was. */
  take(): Buffer[] {
    return [];
  }
}
