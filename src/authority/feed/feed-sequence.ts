/**
 * From frames that are genuine to state that is right: what is applied, in which order, and when the
 * whole counts as fresh.
 *
 * A genuine frame can still be held back, repeated, put in another order or left out by who passes it
 * on. Each says what it follows, so what is left out is seen; nothing goes back behind what is known;
 * and freshness comes only from `current`, which names all that must be known by then.
 */
import type { FeedConsumer, FeedPosition } from "../../model/feed.ts";
import type { Clock } from "../../model/ports.ts";
import {
  type ChangeFrame,
  type CurrentFrame,
  FEED_VERSION,
  type FrameVersion,
  type HelloFrame,
  type SettingsFrame,
  type SnapshotFrame,
} from "./feed-frames.ts";
import { FeedRefusal } from "./feed-refusal.ts";
import {
  type FeedSettings,
  NO_NEWS,
  readSettings,
  settingsDigest,
  settingsNews,
} from "./feed-settings.ts";
import type { VerifiedFrame } from "./feed-verifier.ts";
import { unpackRevocations } from "../state/revocation-pack.ts";

export interface SequenceOptions {
  readonly consumer: FeedConsumer;
  /** The name by which a bundle is chosen. */
  readonly who: string;
  /** A word of the authority that is older is no news. */
  readonly maxAgeMs: number;
  readonly clock: Clock;
  /**
   * Throws FeedRefusal where settings name authorities that must not be believed; nothing of them is
   * applied then.
   */
  readonly accept: (settings: FeedSettings, endorsements: readonly string[]) => void;
}

const LIMITS = {
  /**
   * Two authorities read the store at the same time, and the one that reads the clock later may have read
   * the number before. Milliseconds; a hundred times as long as such a reading takes.
   */
  overlapMs: 5000,
} as const;

/** What became of a frame. */
export type Outcome =
  /** It changed what is known. */
  | "applied"
  /** The authority vouches for all that is known. */
  | "fresh"
  /** Genuine and of no use: it says what is known, or what was known before. */
  | "known";

interface Known {
  readonly text: string;
  readonly digest: string;
  readonly settings: FeedSettings;
  readonly asOf: number;
}

/** The parts of a snapshot that have come. */
interface Assembly {
  readonly id: string;
  readonly epoch: string;
  readonly number: number;
  readonly parts: number;
  readonly version: FrameVersion;
  next: number;
  generation: number;
}

export class FeedSequence {
  readonly #options: SequenceOptions;
  #position: FeedPosition | undefined;
  #known: Known | undefined;
  #asOf = 0;
  /** Epoch of all that was heard last, also while a snapshot replaces it. */
  #heardEpoch: string | undefined;
  /** Of the frames that said it: whether API keys are among what is known. */
  #version: FrameVersion = FEED_VERSION;
  /** The lowest generation of the keys that signed what is known. */
  #generation = Number.MAX_SAFE_INTEGER;
  #assembly: Assembly | undefined;
  /** Of the stream that is read now. */
  #streamEpoch: string | undefined;
  #streamNumber = 0;
  #streamCurrent = 0;
  #streamAsOf = 0;
  /** The first proof of freshness on this stream. */
  #streamFirst = 0;
  #lostEpoch: string | undefined;

  constructor(options: SequenceOptions) {
    this.#options = options;
  }

  /** The epoch that has lost commits, of which nothing is believed any more; undefined: none is known. */
  get lostEpoch(): string | undefined {
    return this.#lostEpoch;
  }

  /** As it was kept on the disk. */
  set lostEpoch(epoch: string | undefined) {
    this.#lostEpoch = epoch;
  }

  /** Where the next stream may begin; undefined: with a snapshot. */
  get position(): FeedPosition | undefined {
    return this.#position;
  }

  /** When the authority vouched for what is known, by its clock; 0: never. */
  get asOf(): number {
    return this.#asOf;
  }

  get settings(): FeedSettings | undefined {
    return this.#known?.settings;
  }

  /** Of the frames that are followed. */
  get version(): FrameVersion {
    return this.#version;
  }

  /** Digest of the settings that are known. */
  get digest(): string | undefined {
    return this.#known?.digest;
  }

  /** A new connection: its frames follow each other and nothing of another one. */
  begin(): void {
    this.#assembly = undefined;
    this.#streamEpoch = undefined;
    this.#streamNumber = 0;
    this.#streamCurrent = 0;
    this.#streamAsOf = 0;
    this.#streamFirst = 0;
  }

  /** Throws FeedRefusal; then the stream is over and what is known stays. */
  take({ frame, generation }: VerifiedFrame): Outcome {
    if (frame.kind === "hello") return this.#greet(frame);
    if (frame.epoch !== this.#streamEpoch) throw new FeedRefusal("wrong-epoch");
    if (this.#assembly !== undefined && frame.kind !== "snapshot") {
      throw new FeedRefusal("mixed-snapshot", "it was not whole when another frame came");
    }
    if (frame.kind === "snapshot") return this.#assemble(frame, generation);
    this.#refuseOtherVersion(frame);
    if (frame.kind === "change") return this.#change(frame, generation);
    return frame.kind === "settings" ? this.#settle(frame) : this.#confirm(frame);
  }

  /**
   * An authority of an earlier version reads the same store and says nothing of API keys: what it
   * vouches for is not all. And what it has told is less than what another goes on from.
   */
  #refuseOtherVersion({ v = FEED_VERSION, epoch }: ChangeFrame | SettingsFrame | CurrentFrame) {
    if (this.#position?.epoch !== epoch || v === this.#version) return;
    if (v < this.#version) throw new FeedRefusal("version", "it says nothing of API keys");
    this.#position = undefined;
    this.#known = undefined;
    throw new FeedRefusal("version", "API keys are told from here on: all is asked for anew");
  }

  /** An earlier key was withdrawn: what it signed may be a lie, so all of it has to be told anew. */
  #greet({ epoch, floor }: HelloFrame): Outcome {
    if (this.#streamEpoch !== undefined && this.#streamEpoch !== epoch) {
      throw new FeedRefusal("wrong-epoch");
    }
    if (epoch === this.#lostEpoch) throw new FeedRefusal("rolled-back");
    this.#streamEpoch = epoch;
    if (floor <= this.#generation || this.#position === undefined) return "known";
    this.#position = undefined;
    this.#known = undefined;
    this.#assembly = undefined;
    throw new FeedRefusal("key-withdrawn", "what it has signed is asked for anew");
  }

  #assemble(frame: SnapshotFrame, generation: number): Outcome {
    const { epoch, number, id, part, parts } = frame;
    const assembly = this.#assembly ?? this.#beginSnapshot(frame);
    const fits =
      assembly.id === id &&
      assembly.epoch === epoch &&
      assembly.number === number &&
      assembly.parts === parts &&
      assembly.version === (frame.v ?? FEED_VERSION) &&
      assembly.next === part;
    if (!fits) throw new FeedRefusal("mixed-snapshot");
    const revocations = unpackRevocations(frame.revocations) ?? [];
    const { apiKeys } = frame;
    const at = { epoch, number };
    // From here on what was known stands beside what comes, in the consumer too: it can only be whole.
    this.#position = undefined;
    const change = { revocations, lifted: [], apiKeys, ...NO_NEWS };
    this.#options.consumer.apply(change, at, { reset: part === 0 });
    assembly.next += 1;
    assembly.generation = Math.min(assembly.generation, generation);
    if (assembly.next < parts) return "applied";
    this.#assembly = undefined;
    this.#position = at;
    this.#heardEpoch = epoch;
    this.#generation = assembly.generation;
    this.#version = assembly.version;
    return "applied";
  }

  #beginSnapshot({ v = FEED_VERSION, ...frame }: SnapshotFrame): Assembly {
    const { epoch, number, asOf, id, parts } = frame;
    const { position } = this;
    if (position?.epoch === epoch && number < position.number) throw new FeedRefusal("replayed");
    if (this.#heardEpoch === epoch && v < this.#version) {
      throw new FeedRefusal("version", "it says nothing of API keys");
    }
    // A life of the store that ended comes with what was said in it, all of which is older.
    const other = this.#heardEpoch !== undefined && this.#heardEpoch !== epoch;
    if (other && asOf <= this.#asOf) throw new FeedRefusal("wrong-epoch", "it ended before");
    const generation = Number.MAX_SAFE_INTEGER;
    const assembly = { id, epoch, number, parts, version: v, next: 0, generation };
    this.#assembly = assembly;
    return assembly;
  }

  #change(frame: ChangeFrame, generation: number): Outcome {
    const position = this.#placed(frame.epoch);
    this.#checkStream(frame);
    // Another authority may divide the same changes in other ways, and may be behind the one before.
    if (frame.number <= position.number) return "known";
    if (frame.before > position.number) throw new FeedRefusal("gap");
    const { revocations, lifted, apiKeys, apiKeysGone, epoch, number } = frame;
    const at = { epoch, number };
    const change = { revocations, lifted, apiKeys, apiKeysGone, ...NO_NEWS };
    this.#options.consumer.apply(change, at, { reset: false });
    this.#position = at;
    this.#generation = Math.min(this.#generation, generation);
    return "applied";
  }

  #settle({ text, asOf, epoch, endorsements }: SettingsFrame): Outcome {
    const position = this.#placed(epoch);
    const digest = settingsDigest(text);
    if (this.#known?.digest === digest) return "known";
    // Of another authority that has not caught up, or replayed; `current` says which of them counts.
    if (this.#known !== undefined && asOf < this.#known.asOf) return "known";
    const settings = readSettings(text);
    if (settings === undefined) throw new FeedRefusal("settings-invalid");
    this.#options.accept(settings, endorsements);
    const news = settingsNews(this.#known?.settings, settings, this.#options.who);
    this.#known = { text, digest, settings, asOf };
    const change = { revocations: [], lifted: [], ...news };
    this.#options.consumer.apply(change, position, { reset: false });
    return "applied";
  }

  #confirm(frame: CurrentFrame): Outcome {
    const position = this.#placed(frame.epoch);
    const { asOf, before, number } = frame;
    const first = this.#streamAsOf === 0;
    this.#checkStream(frame);
    const age = this.#options.clock.now() - asOf;
    if (age > this.#options.maxAgeMs) {
      // A stream opens with the last one there is; who passes it on may not have a newer one yet.
      if (first) return "known";
      throw new FeedRefusal("too-old", `it is ${age} ms old`);
    }
    if (first) this.#streamFirst = asOf;
    if (before > position.number) throw new FeedRefusal("gap");
    this.#refuseRolledBack(position, frame);
    // Of an authority that has not caught up with the one before: true, and no proof of what is known.
    if (number < position.number || asOf < this.#asOf) return "known";
    if (frame.settings !== this.#known?.digest) return "known";
    this.#position = { epoch: frame.epoch, number };
    this.#asOf = asOf;
    this.#options.consumer.current(this.#position, asOf);
    return "fresh";
  }

  /**
   * The number of a store never goes back within an epoch. Where an authority vouches, later than all
   * was known up to a number, for a lower one, commits are lost; and when others have been counted in
   * their place, nobody could tell any more which of them are known here.
   */
  #refuseRolledBack(position: FeedPosition, { asOf, number, epoch }: CurrentFrame): void {
    if (number >= position.number) return;
    // What is known was known before this stream began, so at the latest `maxAgeMs` after its first proof.
    const since =
      this.#asOf === 0 ? this.#streamFirst + this.#options.maxAgeMs : this.#asOf + LIMITS.overlapMs;
    if (asOf <= since) return;
    this.#lostEpoch = epoch;
    throw new FeedRefusal("rolled-back");
  }

  #placed(epoch: string): FeedPosition {
    const position = this.#position;
    if (position === undefined) throw new FeedRefusal("gap", "nothing is known to build on");
    if (position.epoch !== epoch) throw new FeedRefusal("wrong-epoch");
    return position;
  }

  /**
   * Within one stream changes go up, and so do proofs of freshness. Across two authorities they may
   * overlap; and the first proof of a stream may be of before its snapshot.
   */
  #checkStream({ kind, number, asOf }: ChangeFrame | CurrentFrame): void {
    if (kind === "change") {
      if (number <= this.#streamNumber) throw new FeedRefusal("replayed");
      this.#streamNumber = number;
      return;
    }
    if (number < this.#streamCurrent || asOf < this.#streamAsOf) throw new FeedRefusal("replayed");
    this.#streamCurrent = number;
    this.#streamAsOf = asOf;
  }
}
