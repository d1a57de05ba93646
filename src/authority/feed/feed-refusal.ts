/** Why something that came over the feed was not believed. One closed list, for metrics and logs. */
import { SallyportError } from "../../model/errors.ts";

export const REFUSALS = {
  malformed: "it is not a frame of the feed",
  "too-large": "a line is longer than any frame",
  "unknown-kind": "a frame of a kind that this version does not know and may not pass over",
  version: "a frame of another version of the feed",
  "unknown-key": "a frame is signed by a key that nobody has certified on this stream",
  "not-certified": "the key is not certified by an authority that this machine trusts",
  "wrong-usage": "the certificate of the key is not one for the feed",
  "key-expired": "the certificate of the key is out of its time",
  "key-withdrawn":
    "the key was withdrawn: a newer one has said that it counts no more (where the store was restored from a backup: `sallyport keys rotate feed --emergency` at the authority)",
  "bad-signature": "the signature is not that of the key",
  future: "a frame is of the future by more than clocks may differ",
  "too-old": "the word of the authority is older than it may be: it was held up, or is replayed",
  replayed: "a frame goes back behind one that came before it",
  "rolled-back":
    "the store has lost commits that this machine knows of: `sallyport store new-epoch` at the authority lets it go on, and what was revoked has to be revoked again",
  gap: "frames are missing between this one and what is known",
  "wrong-epoch": "a frame is of another life of the store than the stream",
  "mixed-snapshot": "a part does not belong to the snapshot that has begun",
  "roots-unproven": "an authority for certificates is named that none known before has vouched for",
  "settings-invalid": "the settings cannot be read",
} as const;

export type RefusalReason = keyof typeof REFUSALS;

/** `feed-failed` with its reason. The stream is over: nothing that follows it can be placed. */
export class FeedRefusal extends SallyportError {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, detail?: string, options?: { cause?: unknown }) {
    super("feed-failed", [REFUSALS[reason], detail].filter(Boolean).join(": "), options);
    this.name = "FeedRefusal";
    this.reason = reason;
  }
}
