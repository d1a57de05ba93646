/**
 * Frames as they arrive -> calls (RFC 9113 sections 4 and 6), for either end of a connection.
 *
 * It holds every rule that needs no memory of streams: sizes by type and by our
 * SETTINGS_MAX_FRAME_SIZE, which frames stand on stream 0 and which do not, padding, values of
 * settings, increments of zero, and that nothing comes between a HEADERS frame and the CONTINUATION
 * frames that complete its block. What depends on a stream's state, on windows or on rates is for
 * http/http2/. The preface is not read here; the first frame has to be SETTINGS.
 *
 * Refused beyond the RFC: PUSH_PROMISE in either direction (clients may not send it, and ours never
 * allows it), and header blocks of more bytes or more frames than the limits (the CONTINUATION flood
 * of 2024, CVE-2024-27316 and its kin).
 */

/** Which bound of the reader a flood ran into. */
export type FrameFlood = "headerBlockBytes" | "continuations" | "settingsPairs";

/** Why a frame is refused. */
export interface FrameFault {
  /** One of `H2_ERROR`. */
  readonly code: number;
  /** For the operator: the rule that was broken. Holds no byte of the frame. */
  readonly detail: string;
  /** The stream whose error it is; 0: it is the connection's, and nothing more is read. */
  readonly streamId: number;
  readonly flood?: FrameFlood | undefined;
}

/** Who is told of frames, in order and before `read` returns. No verb may throw. */
export interface FrameHandler {
  /**
   * A DATA frame without its padding. `flowBytes` is what it takes from both windows, padding
   * included. The payload is a part of the chunk, or has memory of its own where the frame was cut.
   */
  data(
    streamId: number,
    payload: Buffer,
    flags: { readonly endStream: boolean; readonly flowBytes: number },
  ): void;
  /** A whole header block, without padding and priority. To be used or copied before returning. */
  headers(streamId: number, block: Buffer, endStream: boolean): void;
  /** `streamId` is never 0. */
  rstStream(streamId: number, code: number): void;
  /** Values are in range; unknown identifiers are among them, and one may come twice. */
  settings(pairs: readonly (readonly [id: number, value: number])[]): void;
  settingsAck(): void;
  /** `opaque`: 8 bytes, to be used or copied before returning. */
  ping(opaque: Buffer, ack: boolean): void;
  goaway(lastStreamId: number, code: number): void;
  /** Never 0; `streamId` 0 is the connection. */
  windowUpdate(streamId: number, increment: number): void;
  /** A PRIORITY frame, to be counted and ignored (section 5.3.2). */
  priority(streamId: number): void;
  /** A frame of a type that we do not know, to be counted and ignored (section 5.5). */
  unknown(type: number): void;
  fault(fault: FrameFault): void;
}

/** What a peer may send. */
export interface FrameLimits {
  /** Our SETTINGS_MAX_FRAME_SIZE. */
  readonly maxFrameBytes: number;
  /** Bytes of one header block, compressed, over all its frames. */
  readonly maxBlockBytes: number;
  /** CONTINUATION frames of one header block, empty ones included. */
  readonly maxContinuations: number;
  /** Settings in one SETTINGS frame. */
  readonly maxSettings: number;
  /** Which end reads: a server may not allow push, and a client may not be told to (section 6.5.2). */
  readonly side: "server" | "client";
}

export class FrameReader {
  constructor(handler: FrameHandler, limits: FrameLimits) {
    void [handler, limits];
  }

  /** Whether a frame or a header block has begun and not ended: a deadline should run. */
  get partial(): boolean {
    return false;
  }

  /** Reads what has arrived. The chunk's memory must not change afterwards. */
  read(chunk: Buffer): void {
    void chunk;
    throw new Error("to come");
  }

  /** Calls nothing more, not even for what the chunk being read still holds. */
  stop(): void {
    throw new Error("to come");
  }
}
