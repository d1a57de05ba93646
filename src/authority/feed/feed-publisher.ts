/**
 * Turns the authority's state into signed frames: each change once, whoever many follow. A snapshot is
 * made when somebody needs one and serves all who come until too much has changed since.
 */
import { randomBytes } from "node:crypto";
import type { Clock, Log, Metrics } from "../../model/ports.ts";
import type { FeedPosition } from "../../model/feed.ts";
import type { KeyUse } from "../../model/signing.ts";
import type { AuthorityState, StateObserver, StateStep } from "../state/authority-state.ts";
import type { ApiKeyPieces } from "../../keys/api-key-table.ts";
import type { RevocationPieces } from "../state/known-revocations.ts";
import {
  API_KEY_VERSION,
  FEED_VERSION,
  FRAME_LIMITS,
  type FrameKind,
  type FrameVersion,
  type SnapshotFrame,
} from "./feed-frames.ts";
import { FeedSigner, type FeedSignerDeps } from "./feed-signer.ts";
import { FrameLog, type LogSnapshot } from "./frame-log.ts";
import { endorseRoots } from "./root-endorsement.ts";

export interface FeedPublisherDeps {
  readonly state: AuthorityState;
  readonly keys: FeedSignerDeps["keys"] & {
    /** Those that were made in an emergency put an end to all before them. */
    list(): readonly {
      readonly use: KeyUse;
      readonly activeMs: number;
      readonly because: string;
    }[];
  };
  readonly ca: FeedSignerDeps["ca"];
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface FeedPublisher {
  readonly log: FrameLog;
  /** A snapshot that the log continues. Made in turns, so that nothing else waits for it. */
  snapshot(): Promise<LogSnapshot>;
  /** From a position that the log does not reach to one that it does; undefined: only a snapshot helps. */
  bridge(from: FeedPosition): Promise<Bridge | undefined>;
  close(): void;
}

export interface Bridge {
  readonly upTo: number;
  readonly lines: readonly Buffer[];
}

const LIMITS = {
  /**
   * Between two proofs of freshness: each goes to every follower. The state is read twice a second, so
   * one goes out each second.
   */
  currentMs: 900,
  /** A snapshot serves until so many bytes have changed since, or as many as it has itself. */
  staleBytes: 1024 * 1024,
  /** Attempts to end a snapshot that the log still continues. */
  attempts: 3,
} as const;

/** The state must have been started. */
export function createFeedPublisher(deps: FeedPublisherDeps): FeedPublisher {
  return new Publisher(deps);
}

class Publisher implements FeedPublisher, StateObserver {
  readonly log = new FrameLog();
  readonly #deps: FeedPublisherDeps;
  readonly #signer: FeedSigner;
  readonly #end: () => void;
  #kid = "";
  #version: FrameVersion = FEED_VERSION;
  #currentAt = Number.NEGATIVE_INFINITY;
  /** A change or other settings went out, and nothing has vouched for them yet. */
  #unconfirmed = false;
  #making: Promise<LogSnapshot> | undefined;
  #failing = false;

  constructor(deps: FeedPublisherDeps) {
    this.#deps = deps;
    const { keys, ca, clock, state, metrics } = deps;
    const floor = (): number => emergencyOf(keys.list());
    this.#signer = new FeedSigner({ keys, ca, clock, floor });
    metrics.sampled(
      "sallyport_feed_log_bytes",
      "Bytes of signed frames that the authority holds for followers that come again.",
      () => this.log.changeBytes + (this.log.snapshot?.bytes ?? 0),
    );
    this.#end = state.observe(this);
    this.reset();
    // So that the first who comes need not wait for the next reading.
    if (state.asOfMs > 0) this.current(state.position(), state.asOfMs);
  }

  // StateObserver

  reset(): void {
    const { epoch } = this.#deps.state.position();
    this.log.reset(epoch, this.#deps.state.lastStep);
    this.#version = this.version;
    this.#kid = "";
    this.#hello();
  }

  stepped({ before, ...told }: StateStep, { epoch, number }: FeedPosition): void {
    this.#guarded(() => {
      this.#greet();
      const asOf = this.#deps.state.asOfMs;
      const frame = { ...this.#versioned("change"), epoch, asOf, before, number, ...told };
      this.log.change({ before, number, line: this.#signer.sign(frame).line });
      this.#unconfirmed = true;
    });
  }

  settingsChanged(): void {
    this.#guarded(() => {
      this.#greet();
      this.#settle();
    });
  }

  workloadsChanged(): void {
    // Who may follow is asked where they connect.
  }

  current({ epoch, number }: FeedPosition, asOf: number): void {
    const nowMs = this.#deps.clock.monotonic();
    if (!this.#unconfirmed && nowMs - this.#currentAt < LIMITS.currentMs) return;
    this.#guarded(() => {
      this.#greet();
      const { lastStep: before, settingsDigest: settings } = this.#deps.state;
      const frame = { ...this.#versioned("current"), epoch, asOf, before, number, settings };
      this.log.current(number, this.#signer.sign(frame).line);
      this.#currentAt = nowMs;
      this.#unconfirmed = false;
    });
  }

  // FeedPublisher

  snapshot(): Promise<LogSnapshot> {
    const known = this.log.snapshot;
    const limit = Math.max(LIMITS.staleBytes, known?.bytes ?? 0);
    if (known !== undefined && this.log.bytesSince <= limit) return Promise.resolve(known);
    this.#making ??= this.#makeSnapshot().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async bridge({ epoch, number }: FeedPosition): Promise<Bridge | undefined> {
    const { state } = this.#deps;
    if (epoch !== state.position().epoch) return undefined;
    const step = await state.stepSince(number);
    if (step === undefined) return undefined;
    // What the log says next must come after it: the state has to have read as far.
    if (state.position().number < step.upTo) await state.refresh();
    const at = state.position();
    if (at.epoch !== epoch || at.number < step.upTo || this.#signer.due) return undefined;
    if (step.upTo <= number) return { upTo: number, lines: [] };
    const { upTo, ...told } = step;
    const common = { ...this.#versioned("change"), epoch, asOf: state.asOfMs };
    const frame = { ...common, ...told, before: number, number: upTo };
    return { upTo: step.upTo, lines: [this.#signer.sign(frame).line] };
  }

  close(): void {
    this.#end();
  }

  /** Whatever is due, so that nobody who connects has to wait for a change. */
  #hello(): void {
    this.#guarded(() => this.#certify());
  }

  #greet(): void {
    if (this.#signer.due) this.#certify();
    const { version } = this;
    if (version === this.#version) return;
    // The first API key: whoever knows what was said before has to ask for all anew, and gets this.
    this.#version = version;
    this.log.forget(this.#deps.state.lastStep);
  }

  /** What is there to be told. From the first API key on for as long as the store lives. */
  get version(): FrameVersion {
    return this.#deps.state.settings.apiKeyMac === undefined ? FEED_VERSION : API_KEY_VERSION;
  }

  #versioned<K extends FrameKind>(kind: K): { readonly kind: K; readonly v: FrameVersion } {
    return { kind, v: this.version };
  }

  #certify(): void {
    const { state } = this.#deps;
    const { epoch } = state.position();
    const hello = this.#signer.hello(epoch, state.asOfMs);
    const another = hello.kid !== this.#kid;
    // What the key before has signed ends with its certificate; who comes later gets frames of this one.
    if (another) this.log.rekey(state.lastStep);
    this.#kid = hello.kid;
    this.log.hello(hello.kid, hello.line);
    // Also where only the certificate is new: those of roots are made with it.
    this.#settle();
  }

  #settle(): void {
    const { state, ca } = this.#deps;
    const { epoch } = state.position();
    const common = { ...this.#versioned("settings"), epoch, asOf: state.asOfMs };
    const frame = { ...common, text: state.settingsText, endorsements: endorseRoots(ca) };
    this.log.settings(this.#signer.sign(frame).line);
    this.#unconfirmed = true;
  }

  async #makeSnapshot(): Promise<LogSnapshot> {
    for (let attempt = 0; attempt < LIMITS.attempts; attempt++) {
      // oxlint-disable-next-line no-await-in-loop -- another only where this one came too late
      const snapshot = await this.#signSnapshot();
      if (snapshot !== undefined && this.log.take(snapshot)) return snapshot;
    }
    throw new Error("the state changes faster than it can be told");
  }

  /** Undefined: the key or the epoch changed while it was made. */
  async #signSnapshot(): Promise<LogSnapshot | undefined> {
    const { state } = this.#deps;
    const { epoch, number } = state.position();
    const asOf = state.asOfMs;
    const { version } = this;
    const pieces = state.pieces(FRAME_LIMITS.partRecords);
    const keys = state.apiKeyCount > 0 ? state.apiKeyPieces(FRAME_LIMITS.partBytes) : NO_KEYS;
    const id = randomBytes(12).toString("base64url");
    const parts = pieces.count + keys.count;
    const common = { ...this.#versioned("snapshot"), epoch, asOf, number, id, parts };
    const lines: Buffer[] = [];
    for (const content of contentOf(pieces, keys)) {
      // oxlint-disable-next-line no-await-in-loop -- nothing else is to wait for all of them
      if (lines.length > 0) await nextTurn();
      const other = this.log.epoch !== epoch || this.version !== version;
      if (this.#signer.due || other) return undefined;
      lines.push(this.#signer.sign({ ...common, part: lines.length, ...content }).line);
    }
    const bytes = lines.reduce((sum, line) => sum + line.length, 0);
    return { number, lines, bytes };
  }

  /** Without a key nothing is said, and followers grow stale: they must not be told what nobody signed. */
  #guarded(make: () => void): void {
    const { log, state } = this.#deps;
    try {
      make();
      if (this.#failing) log.info("the feed is signed again");
      this.#failing = false;
    } catch (error) {
      // Once: it is tried with every reading of the store.
      if (!this.#failing) {
        log.error("the feed cannot be signed now: followers grow stale", {
          error: error instanceof Error ? error : new Error(String(error)),
        });
      }
      this.#failing = true;
      // What was left out must not be passed over in silence either.
      this.log.forget(state.lastStep);
    }
  }
}

const NO_KEYS: Pick<ApiKeyPieces, "count" | "pieces"> = { count: 0, pieces: [].values() };

/** One part after the other: all revocations, then all API keys. */
function* contentOf(
  { packed }: RevocationPieces,
  { pieces }: Pick<ApiKeyPieces, "pieces">,
): Generator<Pick<SnapshotFrame, "revocations" | "apiKeys">> {
  for (const revocations of packed) yield { revocations };
  for (const apiKeys of pieces) yield { revocations: Buffer.alloc(0), apiKeys };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** When the last emergency was; 0: there was none that still matters. */
function emergencyOf(keys: ReturnType<FeedPublisherDeps["keys"]["list"]>): number {
  const times = keys
    .filter(({ use, because }) => use === "feed" && because === "emergency")
    .map(({ activeMs }) => activeMs);
  return Math.max(0, ...times);
}
