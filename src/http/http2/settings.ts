/** What the two ends of a connection tell each other about themselves (RFC 9113 section 6.5). */
import { SETTING, SIZE } from "../../wire/http2/codes.ts";

/** What we tell the peer. */
export interface OwnSettings {
  /** Streams that the peer may have open at once. A client has 0: it takes no pushes. */
  readonly maxStreams: number;
  /** Bytes that each stream may send ahead of its reader. */
  readonly streamWindow: number;
  /** Bytes of our decoder's table. */
  readonly maxTableBytes: number;
  /** Bytes of a header list, as RFC 7541 section 4.1 counts them. */
  readonly maxListBytes: number;
  /** Whether extended CONNECT is served (RFC 8441). Servers alone. */
  readonly connectProtocol: boolean;
}

/** The SETTINGS frame that opens a connection. */
export function settingsPairs(
  side: "server" | "client",
  own: OwnSettings,
): readonly (readonly [id: number, value: number])[] {
  const shared: (readonly [number, number])[] = [
    [SETTING.headerTableSize, own.maxTableBytes],
    [SETTING.initialWindowSize, own.streamWindow],
    [SETTING.maxHeaderListSize, own.maxListBytes],
  ];
  if (side === "client") return [[SETTING.enablePush, 0], ...shared];
  const served: (readonly [number, number])[] = [
    [SETTING.maxConcurrentStreams, own.maxStreams],
    ...shared,
    // Priority of the old kind is not looked at (RFC 9218 section 2.1).
    [SETTING.noRfc7540Priorities, 1],
  ];
  return own.connectProtocol ? [...served, [SETTING.enableConnectProtocol, 1]] : served;
}

/** What the peer has told us; before it has, what the protocol says. */
export class PeerSettings {
  /** Whether its first SETTINGS have come. */
  received = false;
  maxStreams = Number.POSITIVE_INFINITY;
  initialWindow: number = SIZE.initialWindow;
  maxFrameBytes: number = SIZE.minMaxFrame;
  maxTableBytes = 4096;
  maxListBytes = Number.POSITIVE_INFINITY;
  connectProtocol = false;

  /** Takes over what a frame says; unknown settings are passed over (section 6.5.2). */
  apply(pairs: readonly (readonly [id: number, value: number])[]): void {
    this.received = true;
    for (const [id, value] of pairs) {
      if (id === SETTING.headerTableSize) this.maxTableBytes = value;
      else if (id === SETTING.maxConcurrentStreams) this.maxStreams = value;
      else if (id === SETTING.initialWindowSize) this.initialWindow = value;
      else if (id === SETTING.maxFrameSize) this.maxFrameBytes = value;
      else if (id === SETTING.maxHeaderListSize) this.maxListBytes = value;
      else if (id === SETTING.enableConnectProtocol) this.connectProtocol = value === 1;
    }
  }
}
