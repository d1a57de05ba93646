/**
 * Follows the feed of an authority, or of a relay, and applies it: what a proxy does that keeps no
 * state of its own. It starts from what it kept on the disk, comes again whenever a stream ends, tries
 * each address in turn, and knows at every moment how long ago the authority vouched for what it knows.
 *
 * What it passes on as a relay are the very frames that came, so it can hold them back and not change
 * them; and whoever follows it sees how old they are.
 */
import type { Certificate } from "../../crypto/certificate.ts";
import type { ApiKeyUse } from "../../model/api-keys.ts";
import type { FeedConsumer, FeedPosition } from "../../model/feed.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import { BundleTaker, type BundleState } from "./bundle-taker.ts";
import { type ClientIdentity, fetchBytes, postBytes } from "./feed-client.ts";
import { FeedConnection } from "./feed-connection.ts";
import { FeedRefusal } from "./feed-refusal.ts";
import { FeedSequence, type Outcome } from "./feed-sequence.ts";
import type { FeedSource } from "./feed-server.ts";
import { bundleFor, type FeedSettings, settingsDigest } from "./feed-settings.ts";
import { FeedStateFile, type StateHead } from "./feed-state-file.ts";
import { FeedVerifier, type VerifiedFrame } from "./feed-verifier.ts";
import { fetchSnapshot } from "./fetch-snapshot.ts";
import { KEY_USES_PATH, writeKeyUses } from "./key-uses.ts";
import { frameLine } from "./frame-line.ts";
import { FrameLog, type LogSnapshot } from "./frame-log.ts";
import { readRootList, unprovenRoots } from "./root-endorsement.ts";

/** What an enrolled machine is and trusts; `openMachineIdentity` gives it. */
export interface FollowerIdentity extends ClientIdentity {
  readonly name: string;
  /** Called after any of it has changed. */
  changed(listener: () => void): () => void;
  /** The authorities of now, as the feed names them. */
  adoptRoots(pems: readonly string[]): Promise<void>;
}

export interface FeedFollowerOptions {
  /** `https://host[:port]`, at least one. */
  readonly urls: readonly string[];
  /** Where it keeps what it was told: a folder of its own. */
  readonly folder: string;
  readonly maxStalenessMs: number;
  /** Whether it passes the feed on: it holds a snapshot in memory then. */
  readonly relay: boolean;
}

export interface FeedFollowerDeps {
  readonly identity: FollowerIdentity;
  readonly consumer: FeedConsumer;
  /** Puts a bundle in force. Rejects where it does not validate on this proxy. */
  readonly takeBundle: (hash: string, bytes: Uint8Array) => Promise<void>;
  readonly clock: Clock;
  readonly timers: Timers;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** For `/readyz` and `sallyport status`. */
export interface FollowerDetail {
  readonly connected: boolean;
  /** Address of the one that is followed, or was tried last. */
  readonly authority: string;
  readonly position: FeedPosition | undefined;
  /** When the authority vouched for what is known, by its clock; undefined: not since this process began. */
  readonly asOfMs: number | undefined;
  readonly stalenessMs: number | undefined;
  readonly bundle: BundleState;
  readonly bundleHash: string;
  /** Why the last stream ended. */
  readonly lastError: string | undefined;
}

export interface FeedFollower {
  /**
   * Applies what is on the disk, its bundle included, then begins to follow. Rejects where the folder
   * cannot be used; what is not good in it is said and left out.
   */
  start(): Promise<void>;
  detail(): FollowerDetail;
  /** For those who follow this one. */
  readonly source: FeedSource;
  readonly settings: FeedSettings | undefined;
  /** The bundle, where it is the one that runs here and that this proxy is to run. */
  bundleOf(hash: string, proxy: string): Promise<Uint8Array | undefined>;
  /** Tells who is followed which API keys were used. Rejects where that could not be told. */
  report(uses: readonly ApiKeyUse[]): Promise<void>;
  /** Resolves once what was to be kept is on the disk. */
  close(): Promise<void>;
}

const LIMITS = {
  /** Bytes of changes on the disk beyond which a new snapshot is asked for, unless it would be larger. */
  changes: 4 * 1024 * 1024,
  /** Between two attempts to get one. */
  compactMs: 60_000,
  bundle: 32 * 1024 * 1024,
} as const;

export function createFeedFollower(
  options: FeedFollowerOptions,
  deps: FeedFollowerDeps,
): FeedFollower {
  return new Follower(options, deps);
}

class Follower implements FeedFollower {
  readonly #options: FeedFollowerOptions;
  readonly #deps: FeedFollowerDeps;
  readonly #file: FeedStateFile;
  readonly #sequence: FeedSequence;
  readonly #bundles: BundleTaker;
  readonly #log = new FrameLog();
  readonly #connection: FeedConnection;
  /** By key, as they came: what a relay and the disk begin with. */
  readonly #hellos = new Map<string, Buffer>();
  #verifier: FeedVerifier;
  #roots: readonly Certificate[];
  /** Lines of a snapshot that is coming. */
  #parts: Buffer[] = [];
  /** Of the snapshot on the disk. */
  #snapshotBytes = 0;
  #endIdentity: () => void = () => undefined;
  /** When that was of which the authority vouched last, on our clock that never goes back. */
  #vouchedAt: number | undefined;
  #compactedAt = Number.NEGATIVE_INFINITY;
  #compacting = false;
  /** A snapshot that was fetched by itself and has no place yet. */
  #compacted: { readonly kid: string; readonly snapshot: LogSnapshot } | undefined;
  /** Of the key that signs now; frames of another in the log ask for a new snapshot. */
  #kid = "";
  #loading = false;

  constructor(options: FeedFollowerOptions, deps: FeedFollowerDeps) {
    this.#options = options;
    this.#deps = deps;
    const { identity, clock, timers, random, log, metrics } = deps;
    this.#file = new FeedStateFile(options.folder);
    this.#roots = readRootList(identity.roots);
    this.#verifier = this.#verifierOf(0, "now");
    this.#sequence = new FeedSequence({
      consumer: deps.consumer,
      who: identity.name,
      maxAgeMs: options.maxStalenessMs,
      clock,
      accept: (settings, endorsements) => this.#accept(settings, endorsements),
    });
    this.#bundles = new BundleTaker({
      file: this.#file,
      fetch: (hash) => this.#fetchBundle(hash),
      take: deps.takeBundle,
      taken: () => this.#keepHead(),
      timers,
      random,
      log,
      metrics,
    });
    this.#connection = new FeedConnection(options, {
      ...deps,
      begin: () => {
        this.#sequence.begin();
        this.#parts = [];
        return this.#sequence.position;
      },
      take: (line) => this.#take(line, "wire"),
    });
    this.#measure(metrics);
  }

  get source(): FeedSource {
    return { log: this.#log, snapshot: () => this.#snapshot() };
  }

  get settings(): FeedSettings | undefined {
    return this.#sequence.settings;
  }

  async start(): Promise<void> {
    await this.#load();
    this.#endIdentity = this.#deps.identity.changed(() => this.#renewed());
    this.#connection.start();
  }

  detail(): FollowerDetail {
    const { asOf, position } = this.#sequence;
    const { connected, address, lastError } = this.#connection;
    return {
      connected,
      authority: address.origin,
      position,
      asOfMs: asOf === 0 ? undefined : asOf,
      stalenessMs: asOf === 0 ? undefined : this.#staleness(),
      bundle: this.#bundles.state,
      bundleHash: this.#bundles.running,
      lastError,
    };
  }

  async bundleOf(hash: string, proxy: string): Promise<Uint8Array | undefined> {
    const { settings } = this.#sequence;
    if (settings === undefined || bundleFor(settings, proxy) !== hash) return undefined;
    return this.#file.bundle(hash);
  }

  async report(uses: readonly ApiKeyUse[]): Promise<void> {
    const { identity, timers } = this.#deps;
    const body = writeKeyUses(uses);
    await postBytes(new URL(KEY_USES_PATH, this.#connection.address), identity, { body, timers });
  }

  async close(): Promise<void> {
    this.#connection.close();
    this.#endIdentity();
    this.#bundles.close();
    await this.#file.settled();
  }

  // The disk

  async #load(): Promise<void> {
    const { log } = this.#deps;
    const { floor, bundle, lostEpoch, lines } = await this.#file.read();
    this.#sequence.lostEpoch = lostEpoch;
    this.#loading = true;
    this.#verifier = this.#verifierOf(floor, "then");
    this.#sequence.begin();
    try {
      for (const line of lines) this.#take(line, "disk");
    } catch (error) {
      log.warn("what was kept of the feed ends where it cannot be verified", {
        error: asError(error),
      });
    }
    this.#loading = false;
    this.#parts = [];
    this.#verifier = this.#verifierOf(this.#verifier.floor, "now");
    if (!this.#options.relay) this.#log.dropSnapshot();
    await this.#loadBundle(bundle);
    this.#bundles.want(this.#bundleName());
  }

  async #loadBundle(bundle: string): Promise<void> {
    const bytes = bundle === "" ? undefined : await this.#file.bundle(bundle);
    if (bytes === undefined) return;
    try {
      await this.#bundles.begin(bundle, bytes);
    } catch (error) {
      this.#deps.log.error("the bundle that was kept does not validate on this proxy any more", {
        bundle,
        error: asError(error),
      });
    }
  }

  /** All of it anew, in the place of what is kept. */
  #keepAll(snapshot: LogSnapshot): void {
    const { epoch, settingsLine } = this.#log;
    const after = this.#log.after({ epoch, number: snapshot.number }) ?? [];
    this.#snapshotBytes = snapshot.bytes;
    const lines = [...this.#hellos.values(), ...snapshot.lines, ...after, ...settingsLine];
    this.#write(() => this.#file.replace(this.#head, lines));
  }

  #keepHead(): void {
    this.#write(() => this.#file.changeHead(this.#head));
  }

  get #head(): StateHead {
    const { lostEpoch } = this.#sequence;
    return { floor: this.#verifier.floor, bundle: this.#bundles.running, lostEpoch };
  }

  #write(run: () => Promise<void>): void {
    run().catch((error: unknown) => {
      this.#deps.log.error("what the feed says cannot be kept on the disk", {
        error: asError(error),
      });
    });
  }

  // Frames

  /** Throws FeedRefusal. */
  #take(raw: Buffer, from: "wire" | "disk"): void {
    const { floor } = this.#verifier;
    const { lostEpoch } = this.#sequence;
    const verified = this.#verifier.read(raw);
    if (verified === undefined) return;
    try {
      const outcome = this.#sequence.take(verified);
      const line = frameLine(raw);
      const another = !this.#isKnownHello(verified, line);
      this.#pass(verified, line, outcome);
      if (from === "disk") return;
      if (outcome === "applied" && verified.frame.kind === "settings") {
        this.#bundles.want(this.#bundleName());
      }
      this.#keep(verified, line, outcome === "applied" || another);
      if (outcome === "fresh") this.#compactIfDue();
      if (outcome !== "known") this.#install();
    } finally {
      // Also where the frame is refused because of it: neither that key nor a store that has lost
      // commits is to be believed after a restart.
      const lost = lostEpoch !== this.#sequence.lostEpoch;
      if (lost || floor !== this.#verifier.floor) this.#keepHead();
    }
  }

  #isKnownHello({ frame, kid }: VerifiedFrame, line: Buffer): boolean {
    return frame.kind !== "hello" || this.#hellos.get(kid)?.equals(line) === true;
  }

  /** To those who follow this one. */
  #pass({ frame, kid }: VerifiedFrame, line: Buffer, outcome: Outcome): void {
    const { epoch } = frame;
    if (frame.kind === "hello") {
      this.#kid = kid;
      this.#hellos.delete(kid);
      this.#hellos.set(kid, line);
      if (this.#log.epoch === epoch) this.#log.hello(kid, line);
    } else if (frame.kind === "snapshot") {
      this.#parts.push(line);
      if (frame.part + 1 === frame.parts) this.#begun(epoch, frame.number);
    } else if (frame.kind === "change" && outcome === "applied") {
      this.#log.change({ before: frame.before, number: frame.number, line });
    } else if (frame.kind === "settings" && settingsDigest(frame.text) === this.#sequence.digest) {
      this.#log.settings(line);
    } else if (frame.kind === "current" && outcome === "fresh") {
      this.#log.current(frame.number, line);
      const { clock } = this.#deps;
      this.#vouchedAt = clock.monotonic() - Math.max(0, clock.now() - this.#sequence.asOf);
      this.#connection.vouched();
    }
  }

  #begun(epoch: string, number: number): void {
    const lines = this.#parts;
    this.#parts = [];
    this.#compacted = undefined;
    for (const kid of this.#hellos.keys()) if (kid !== this.#kid) this.#hellos.delete(kid);
    const bytes = lines.reduce((sum, line) => sum + line.length, 0);
    this.#snapshotBytes = bytes;
    this.#log.reset(epoch, number);
    for (const [kid, line] of this.#hellos) this.#log.hello(kid, line);
    this.#log.take({ number, lines, bytes });
  }

  /** On the disk. `news`: it says what was not known. */
  #keep({ frame }: VerifiedFrame, line: Buffer, news: boolean): void {
    const { snapshot } = this.#log;
    if (frame.kind === "snapshot") {
      if (frame.part + 1 !== frame.parts || snapshot === undefined) return;
      this.#keepAll(snapshot);
      // A plain proxy has it on the disk; in memory it would be of no use.
      if (!this.#options.relay) this.#log.dropSnapshot();
    } else if (news && frame.kind !== "current" && this.#sequence.position !== undefined) {
      this.#write(() => this.#file.append([line]));
    }
  }

  /** Throws FeedRefusal for authorities that none known before has vouched for. */
  #accept(settings: FeedSettings, endorsements: readonly string[]): void {
    const { clock, identity, log } = this.#deps;
    let named: Certificate[];
    try {
      named = readRootList(settings.authorities);
    } catch (cause) {
      throw new FeedRefusal("settings-invalid", "an authority cannot be read", { cause });
    }
    // Without any it could never hear of another again.
    if (named.length === 0) throw new FeedRefusal("settings-invalid", "no authority is named");
    const unproven = unprovenRoots(named, this.#roots, { endorsements, nowMs: clock.now() });
    const [first] = unproven;
    if (first !== undefined) throw new FeedRefusal("roots-unproven", first.subject);
    // What was kept may be older than what this machine trusts by now.
    if (this.#loading) return;
    this.#roots = named;
    this.#verifier.trust(named);
    identity.adoptRoots(settings.authorities).catch((error: unknown) => {
      log.error("the authorities that the feed names cannot be adopted", { error: asError(error) });
    });
  }

  #bundleName(): string {
    const { settings } = this.#sequence;
    return settings === undefined ? "" : (bundleFor(settings, this.#deps.identity.name) ?? "");
  }

  /** Or whom we trust. */
  #renewed(): void {
    this.#roots = readRootList(this.#deps.identity.roots);
    this.#verifier.trust(this.#roots);
    this.#connection.renew();
  }

  // Bundles and snapshots by themselves

  async #fetchBundle(hash: string): Promise<Uint8Array> {
    const { identity, timers } = this.#deps;
    let last: unknown;
    for (const base of this.#connection.addresses) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- the next one only where this one has it not
        return await fetchBytes(new URL(`/bundles/${hash}`, base), identity, {
          maxBytes: LIMITS.bundle,
          timers,
        });
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  #snapshot(): Promise<LogSnapshot> {
    const { snapshot } = this.#log;
    if (snapshot !== undefined) return Promise.resolve(snapshot);
    this.#compactIfDue();
    return Promise.reject(new Error("this relay has no snapshot yet"));
  }

  /**
   * Changes pile up on the disk and in memory, and a key that signs no more ends: then a new snapshot
   * takes their place. It changes nothing of what is known, so it is fetched beside the stream.
   */
  #compactIfDue(): void {
    const { clock, random } = this.#deps;
    const nowMs = clock.monotonic();
    if (this.#compacting || nowMs - this.#compactedAt < LIMITS.compactMs) return;
    const much = this.#log.changeBytes > Math.max(LIMITS.changes, this.#snapshotBytes);
    const missing = this.#options.relay && this.#log.snapshot === undefined;
    // Of many relays not all at once.
    const ending = this.#options.relay && this.#hellos.size > 1 && random() < 0.02;
    if (!much && !missing && !ending) return;
    this.#compacting = true;
    this.#compactedAt = nowMs;
    this.#compact()
      .catch((error: unknown) => {
        this.#deps.log.warn("a new snapshot cannot be had now", { error: asError(error) });
      })
      .finally(() => {
        this.#compacting = false;
      });
  }

  async #compact(): Promise<void> {
    const { identity, timers } = this.#deps;
    this.#compacted = await fetchSnapshot({
      address: this.#connection.address,
      identity,
      timers,
      verifier: this.#verifierOf(this.#verifier.floor, "now"),
      epoch: () => this.#log.epoch,
      version: () => this.#sequence.version,
    });
    this.#install();
  }

  /** One that is ahead of what is known would leave a hole: it waits for the stream to come so far. */
  #install(): void {
    const { position } = this.#sequence;
    if (this.#compacted === undefined || position === undefined) return;
    const { snapshot, kid } = this.#compacted;
    if (position.number < snapshot.number) return;
    this.#compacted = undefined;
    // What was signed since by another key ends with that: the next one will be of this key.
    if (kid !== this.#kid || !this.#log.take(snapshot)) return;
    this.#log.compact();
    for (const other of this.#hellos.keys()) if (other !== kid) this.#hellos.delete(other);
    this.#log.onlyHello(kid);
    this.#keepAll(snapshot);
    if (!this.#options.relay) this.#log.dropSnapshot();
  }

  #verifierOf(floor: number, validity: "now" | "then"): FeedVerifier {
    return new FeedVerifier({ roots: this.#roots, floor, validity }, this.#deps.clock);
  }

  #staleness(): number {
    const { clock } = this.#deps;
    const byWall = clock.now() - this.#sequence.asOf;
    // A wall clock that is set back makes nothing younger, in the metric as little as for the gate.
    return Math.max(0, byWall, clock.monotonic() - (this.#vouchedAt ?? clock.monotonic()));
  }

  #measure(metrics: Metrics): void {
    metrics.sampled(
      "sallyport_feed_staleness_seconds",
      "Seconds since the authority vouched for what this proxy knows, by the authority's clock.",
      () => (this.#sequence.asOf === 0 ? Number.MAX_SAFE_INTEGER : this.#staleness() / 1000),
    );
    metrics.sampled(
      "sallyport_feed_position",
      "Number of the last change that this proxy knows.",
      () => this.#sequence.position?.number ?? 0,
    );
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
