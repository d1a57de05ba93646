/**
 * Brings the bundle that the feed names to this proxy: fetched from whoever has it, believed for its
 * hash, and handed to the app. One that does not validate here leaves the running one in force, is
 * said loudly, and is not tried again until another one is named.
 */
import type { Counter, Family, Log, Metrics, Timers } from "../../model/ports.ts";
import { bundleHash, type FeedStateFile } from "./feed-state-file.ts";

export interface BundleTakerDeps {
  readonly file: FeedStateFile;
  /** From whoever has it. Rejects where nobody gives it now. */
  readonly fetch: (hash: string) => Promise<Uint8Array>;
  /** Puts it in force. Rejects where it does not validate on this proxy. */
  readonly take: (hash: string, bytes: Uint8Array) => Promise<void>;
  /** Called once another bundle is in force. */
  readonly taken: (hash: string) => void;
  readonly timers: Timers;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
}

const LIMITS = {
  firstRetryMs: 1000,
  lastRetryMs: 60_000,
} as const;

export type BundleState = "none" | "running" | "fetching" | "refused";

export class BundleTaker {
  /** The hash of what runs; empty: nothing that came over the feed. */
  running = "";
  /** What the feed names; empty: none. */
  wanted = "";
  /** What was named and did not validate here. */
  #refused = "";
  readonly #deps: BundleTakerDeps;
  readonly #outcomes: Family<Counter>;
  #work: Promise<void> | undefined;
  #failures = 0;
  #callOff: () => void = () => undefined;
  #closed = false;

  constructor(deps: BundleTakerDeps) {
    this.#deps = deps;
    this.#outcomes = deps.metrics.counter(
      "sallyport_feed_bundles_total",
      "Bundles that the feed named, by what became of them: taken, refused or not to be had.",
      ["outcome"],
    );
  }

  get state(): BundleState {
    if (this.wanted === this.running) return this.wanted === "" ? "none" : "running";
    return this.wanted === this.#refused ? "refused" : "fetching";
  }

  /** What was kept on the disk, at start. Rejects where it does not validate any more. */
  async begin(hash: string, bytes: Uint8Array): Promise<void> {
    await this.#deps.take(hash, bytes);
    this.running = hash;
    this.#deps.taken(hash);
  }

  want(hash: string): void {
    if (hash === this.wanted) return;
    this.wanted = hash;
    this.#failures = 0;
    this.#callOff();
    this.#go();
  }

  close(): void {
    this.#closed = true;
    this.#callOff();
  }

  #go(): void {
    const due = this.wanted !== "" && this.wanted !== this.running && this.wanted !== this.#refused;
    if (this.#closed || this.#work !== undefined || !due) return;
    this.#work = this.#bring(this.wanted).finally(() => {
      this.#work = undefined;
      // Another one may have been named meanwhile.
      if (this.#failures === 0) this.#go();
    });
  }

  async #bring(hash: string): Promise<void> {
    const { file, fetch, take, taken, log } = this.#deps;
    let bytes: Uint8Array;
    try {
      bytes = (await file.bundle(hash)) ?? (await fetch(hash));
      if (bundleHash(bytes) !== hash) throw new Error("what was sent is another bundle");
    } catch (error) {
      this.#retry(error);
      return;
    }
    if (this.#closed || hash !== this.wanted) return;
    try {
      await take(hash, bytes);
    } catch (error) {
      this.#refused = hash;
      this.#outcomes.with("refused").inc();
      log.error("the bundle of the feed does not validate on this proxy: the one before runs on", {
        bundle: hash,
        running: this.running,
        error: asError(error),
      });
      return;
    }
    this.#failures = 0;
    this.running = hash;
    this.#outcomes.with("taken").inc();
    log.info("a bundle of the feed is in force", { bundle: hash });
    taken(hash);
    try {
      await file.keepBundle(hash, bytes);
    } catch (error) {
      log.error("the bundle cannot be kept on the disk", { bundle: hash, error: asError(error) });
    }
  }

  #retry(error: unknown): void {
    const { timers, random, log } = this.#deps;
    this.#outcomes.with("not-had").inc();
    log.warn("the bundle that the feed names cannot be had now", {
      bundle: this.wanted,
      error: asError(error),
    });
    const longest = Math.min(LIMITS.lastRetryMs, LIMITS.firstRetryMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 16);
    this.#callOff = timers.after(longest * (0.5 + random() / 2), () => this.#go());
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
