/**
 * What a frame's header alone shows to be wrong (RFC 9113 sections 4.2, 5.1.1 and 6), so that a bad
 * frame is refused before a byte of its payload is awaited or held.
 *
 * Even stream identifiers are a server's to open, by pushing (section 5.1.1). Nobody pushes here, so
 * such a stream is idle for ever, and nothing but PRIORITY may come on it (section 5.1).
 */
import { FLAG, FRAME, H2_ERROR } from "./codes.ts";
import { connectionFault, type FrameFault } from "./frame-fault.ts";

/** The nine bytes before a payload (section 4.1), without the reserved bit. */
export interface FrameHeader {
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
}

const FAULTS = {
  dataStream: connectionFault("DATA on stream 0"),
  headersStream: connectionFault("HEADERS on stream 0"),
  priorityStream: connectionFault("PRIORITY on stream 0"),
  resetStream: connectionFault("RST_STREAM on stream 0"),
  resetSize: connectionFault("RST_STREAM that is not 4 bytes", H2_ERROR.frameSizeError),
  settingsStream: connectionFault("SETTINGS on a stream"),
  settingsSize: connectionFault("SETTINGS that are not 6 bytes each", H2_ERROR.frameSizeError),
  ackSize: connectionFault("an acknowledgement of SETTINGS with settings", H2_ERROR.frameSizeError),
  push: connectionFault("PUSH_PROMISE where nobody may push"),
  pingStream: connectionFault("PING on a stream"),
  pingSize: connectionFault("PING that is not 8 bytes", H2_ERROR.frameSizeError),
  goawayStream: connectionFault("GOAWAY on a stream"),
  goawaySize: connectionFault("GOAWAY of less than 8 bytes", H2_ERROR.frameSizeError),
  windowSize: connectionFault("WINDOW_UPDATE that is not 4 bytes", H2_ERROR.frameSizeError),
  evenStream: connectionFault("a frame on a stream that only a push could have opened"),
} as const;

/** The connection's error that the header is, or undefined. Unknown types break no rule (section 5.5). */
export function headerFault(header: FrameHeader): FrameFault | undefined {
  const { length, flags, streamId } = header;
  switch (header.type) {
    case FRAME.data:
      return streamId === 0 ? FAULTS.dataStream : parityFault(streamId);
    case FRAME.headers:
      return streamId === 0 ? FAULTS.headersStream : parityFault(streamId);
    case FRAME.priority:
      // Its size is an error of the stream alone (section 6.3), so its payload is awaited.
      return streamId === 0 ? FAULTS.priorityStream : undefined;
    case FRAME.rstStream:
      if (length !== 4) return FAULTS.resetSize;
      return streamId === 0 ? FAULTS.resetStream : parityFault(streamId);
    case FRAME.settings:
      if (streamId !== 0) return FAULTS.settingsStream;
      if ((flags & FLAG.ack) !== 0) return length === 0 ? undefined : FAULTS.ackSize;
      return length % 6 === 0 ? undefined : FAULTS.settingsSize;
    case FRAME.pushPromise:
      return FAULTS.push;
    case FRAME.ping:
      if (streamId !== 0) return FAULTS.pingStream;
      return length === 8 ? undefined : FAULTS.pingSize;
    case FRAME.goaway:
      if (streamId !== 0) return FAULTS.goawayStream;
      return length >= 8 ? undefined : FAULTS.goawaySize;
    case FRAME.windowUpdate:
      return length === 4 ? parityFault(streamId) : FAULTS.windowSize;
    default:
      return undefined;
  }
}

function parityFault(streamId: number): FrameFault | undefined {
  return streamId !== 0 && streamId % 2 === 0 ? FAULTS.evenStream : undefined;
}
