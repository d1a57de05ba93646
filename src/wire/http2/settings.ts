/** The payload of SETTINGS (RFC 9113 section 6.5): identifiers and values, each in its range. */
import { H2_ERROR, SETTING, SIZE } from "./codes.ts";
import { connectionFault, floodFault, type FrameFault } from "./frame-fault.ts";

/** One setting. */
export type Setting = readonly [id: number, value: number];

export interface SettingsRules {
  /** Settings in one frame. */
  readonly maxSettings: number;
  /** Which end reads. */
  readonly side: "server" | "client";
}

const PAIR_BYTES = 6;

const FAULTS = {
  tooMany: floodFault("more settings in one frame than the limit", "settingsPairs"),
  push: connectionFault("SETTINGS_ENABLE_PUSH other than 0 and 1"),
  serverPush: connectionFault("SETTINGS_ENABLE_PUSH from a server"),
  window: connectionFault(
    "SETTINGS_INITIAL_WINDOW_SIZE beyond the largest window",
    H2_ERROR.flowControlError,
  ),
  frame: connectionFault("SETTINGS_MAX_FRAME_SIZE outside of its range"),
  connect: connectionFault("SETTINGS_ENABLE_CONNECT_PROTOCOL other than 0 and 1"),
  priorities: connectionFault("SETTINGS_NO_RFC7540_PRIORITIES other than 0 and 1"),
} as const;

/**
 * The settings of a payload of whole pairs. Unknown ones are among them, to be ignored (section
 * 6.5.2); one may come twice, and the last one counts (section 6.5.3).
 */
export function readSettings(payload: Buffer, rules: SettingsRules): Setting[] | FrameFault {
  if (payload.length > rules.maxSettings * PAIR_BYTES) return FAULTS.tooMany;
  const pairs: Setting[] = [];
  for (let at = 0; at < payload.length; at += PAIR_BYTES) {
    const id = payload.readUInt16BE(at);
    const value = payload.readUInt32BE(at + 2);
    const fault = settingFault(id, value, rules);
    if (fault !== undefined) return fault;
    pairs.push([id, value]);
  }
  return pairs;
}

function settingFault(id: number, value: number, rules: SettingsRules): FrameFault | undefined {
  switch (id) {
    case SETTING.enablePush:
      if (value > 1) return FAULTS.push;
      return value === 1 && rules.side === "client" ? FAULTS.serverPush : undefined;
    case SETTING.initialWindowSize:
      return value > SIZE.maxWindow ? FAULTS.window : undefined;
    case SETTING.maxFrameSize:
      return value < SIZE.minMaxFrame || value > SIZE.maxMaxFrame ? FAULTS.frame : undefined;
    case SETTING.enableConnectProtocol:
      return value > 1 ? FAULTS.connect : undefined;
    case SETTING.noRfc7540Priorities:
      return value > 1 ? FAULTS.priorities : undefined;
    default:
      return undefined;
  }
}
