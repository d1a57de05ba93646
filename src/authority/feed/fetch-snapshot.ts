/**
 * A snapshot that is fetched by itself, beside the stream: it changes nothing of what is known, and takes
 * the place of changes that have piled up. Each of its frames is verified as those of a stream are.
 */
import type { Timers } from "../../model/ports.ts";
import { type ClientIdentity, fetchBytes, LineSplitter } from "./feed-client.ts";
import { FEED_VERSION, type FrameVersion } from "./feed-frames.ts";
import { FeedRefusal } from "./feed-refusal.ts";
import type { FeedVerifier } from "./feed-verifier.ts";
import { frameLine } from "./frame-line.ts";
import type { LogSnapshot } from "./frame-log.ts";

const LIMITS = {
  /** Bytes: a million revocations have 60 MB. */
  bytes: 512 * 1024 * 1024,
} as const;

export interface SnapshotSource {
  readonly address: URL;
  readonly identity: ClientIdentity;
  readonly timers: Timers;
  readonly verifier: FeedVerifier;
  /** The epoch that is followed now. */
  readonly epoch: () => string;
  /** Of the frames that are followed now. */
  readonly version: () => FrameVersion;
}

/** With the key that has signed it. Rejects with FeedRefusal for what is not one whole snapshot. */
export async function fetchSnapshot(
  source: SnapshotSource,
): Promise<{ readonly kid: string; readonly snapshot: LogSnapshot }> {
  const { address, identity, timers, verifier } = source;
  const bytes = await fetchBytes(new URL("/snapshot", address), identity, {
    maxBytes: LIMITS.bytes,
    timers,
  });
  const lines: Buffer[] = [];
  let found: { readonly number: number; readonly parts: number; readonly kid: string } | undefined;
  const splitter = new LineSplitter((raw) => {
    const verified = verifier.read(raw);
    if (verified?.frame.kind !== "snapshot") return;
    const { frame, kid } = verified;
    const { v = FEED_VERSION } = frame;
    // One that says nothing of API keys, in the place of changes that do, would lose them.
    if (v !== source.version()) throw new FeedRefusal("version");
    const fits = frame.epoch === source.epoch() && frame.part === lines.length;
    if (!fits || (found !== undefined && found.number !== frame.number)) {
      throw new FeedRefusal("mixed-snapshot");
    }
    found = { number: frame.number, parts: frame.parts, kid };
    lines.push(frameLine(raw));
  });
  splitter.take(bytes);
  if (found === undefined || lines.length !== found.parts) throw new FeedRefusal("mixed-snapshot");
  const { number, kid } = found;
  const size = lines.reduce((sum, line) => sum + line.length, 0);
  return { kid, snapshot: { number, lines, bytes: size } };
}
