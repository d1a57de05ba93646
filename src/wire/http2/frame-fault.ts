/** Why a frame is refused, as a value; see wire/head-fault.ts for why none is thrown. */
import { H2_ERROR } from "./codes.ts";

/** Which bound of the reader a flood ran into. */
export type FrameFlood = "headerBlockBytes" | "continuations" | "settingsPairs";

export interface FrameFault {
  /** One of `H2_ERROR`. */
  readonly code: number;
  /** For the operator: the rule that was broken. Holds no byte of the frame. */
  readonly detail: string;
  /** The stream whose error it is; 0: it is the connection's, and nothing more is read. */
  readonly streamId: number;
  readonly flood?: FrameFlood | undefined;
}

/** A frozen error of the connection. */
export function connectionFault(detail: string, code: number = H2_ERROR.protocolError): FrameFault {
  return Object.freeze({ code, detail, streamId: 0 });
}

/** A frozen ENHANCE_YOUR_CALM of the connection. */
export function floodFault(detail: string, flood: FrameFlood): FrameFault {
  return Object.freeze({ code: H2_ERROR.enhanceYourCalm, detail, streamId: 0, flood });
}
