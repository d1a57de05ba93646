/** Frames for tests: bytes as a peer may write them, right or wrong, and what a reader makes of them. */
import {
  DEFAULT_FRAME_LIMITS,
  type FrameHandler,
  type FrameLimits,
  FrameReader,
} from "./frame-reader.ts";

/** A frame byte by byte; nothing is checked. */
export function frame(
  type: number,
  options: {
    readonly flags?: number;
    readonly streamId?: number;
    readonly payload?: Buffer | readonly number[];
    /** The length in the header, if it is not the payload's. */
    readonly length?: number;
  } = {},
): Buffer {
  const payload = Buffer.from(options.payload ?? []);
  const header = Buffer.alloc(9);
  header.writeUIntBE(options.length ?? payload.length, 0, 3);
  header[3] = type;
  header[4] = options.flags ?? 0;
  header.writeUInt32BE(options.streamId ?? 0, 5);
  return Buffer.concat([header, payload]);
}

/** Four bytes. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** What may come first. */
export const EMPTY_SETTINGS = frame(0x4);

/** Each call of a handler as an array: its verb and its arguments, bytes in hex. */
export type FrameCall = readonly unknown[];

export class FrameLog implements FrameHandler {
  readonly calls: FrameCall[] = [];

  data(
    streamId: number,
    payload: Buffer,
    flags: { readonly endStream: boolean; readonly flowBytes: number },
  ): void {
    this.calls.push(["data", streamId, payload.toString("hex"), flags.endStream, flags.flowBytes]);
  }

  headers(streamId: number, block: Buffer, endStream: boolean): void {
    this.calls.push(["headers", streamId, block.toString("hex"), endStream]);
  }

  rstStream(streamId: number, code: number): void {
    this.calls.push(["rstStream", streamId, code]);
  }

  settings(pairs: readonly (readonly [number, number])[]): void {
    this.calls.push(["settings", pairs]);
  }

  settingsAck(): void {
    this.calls.push(["settingsAck"]);
  }

  ping(opaque: Buffer, ack: boolean): void {
    this.calls.push(["ping", opaque.toString("hex"), ack]);
  }

  goaway(lastStreamId: number, code: number): void {
    this.calls.push(["goaway", lastStreamId, code]);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.calls.push(["windowUpdate", streamId, increment]);
  }

  priority(streamId: number): void {
    this.calls.push(["priority", streamId]);
  }

  unknown(type: number): void {
    this.calls.push(["unknown", type]);
  }

  fault(fault: { code: number; streamId: number; flood?: string | undefined }): void {
    const { code, streamId, flood } = fault;
    this.calls.push(
      flood === undefined ? ["fault", code, streamId] : ["fault", code, streamId, flood],
    );
  }
}

/** A reader with the default limits, and its log. */
export function loggedReader(limits: Partial<FrameLimits> = {}): {
  readonly reader: FrameReader;
  readonly calls: FrameCall[];
} {
  const log = new FrameLog();
  const reader = new FrameReader(log, { ...DEFAULT_FRAME_LIMITS, side: "server", ...limits });
  return { reader, calls: log.calls };
}

/** What a reader makes of a connection's bytes, the empty SETTINGS before them left out. */
export function readFrames(bytes: Buffer, limits: Partial<FrameLimits> = {}): FrameCall[] {
  const { reader, calls } = loggedReader(limits);
  reader.read(EMPTY_SETTINGS);
  reader.read(bytes);
  return calls.slice(1);
}
