/**
 * The loop of the thread that keeps the log: looks for what was written, gives it to the consumers, lets
 * them commit once in each interval, and tells them that time passes. When there is nothing it sleeps.
 */
import { setImmediate } from "node:timers/promises";
import type { Archive } from "../../audit/archive/archive.ts";
import type { TornReports } from "../../audit/archive/torn-reports.ts";
import { createFollower, type Follower } from "../../audit/follow/follower.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import type { RecordConsumer } from "../../model/record-feed.ts";

const LIMITS = {
  /** Milliseconds between two looks when all that there was is read. */
  lookMs: 200,
  /** Milliseconds between two words that time passes. */
  tickMs: 1000,
  /** Milliseconds that consumers have to end: what waits for a witness or a sink waits no longer. */
  closeMs: 5000,
} as const;

export interface KeeperOptions {
  readonly folder: string;
  readonly consumers: readonly RecordConsumer[];
  /** Milliseconds between two commits. */
  readonly commitMs: number;
  /** Compresses and removes what is over. */
  readonly archive?: Archive;
  readonly torn?: TornReports;
}

export interface KeeperDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Told of who does not get on, each time that this changes. */
  readonly failing: (consumers: readonly string[]) => void;
}

export interface Keeper {
  /** Rejects when the loop itself fails, which is a fault of ours. */
  readonly ended: Promise<void>;
  /** Reads to the end of what there is, commits, ends the consumers. */
  close(): Promise<void>;
}

export function startKeeper(options: KeeperOptions, deps: KeeperDeps): Keeper {
  return new RunningKeeper(options, deps);
}

class RunningKeeper implements Keeper {
  readonly #options: KeeperOptions;
  readonly #deps: KeeperDeps;
  readonly #follower: Follower;
  readonly ended: Promise<void>;
  #commitAtMs: number;
  #tickAtMs = 0;
  #failing = "";
  #closing = false;
  #tidying = false;
  #wake: () => void = () => undefined;

  constructor(options: KeeperOptions, deps: KeeperDeps) {
    this.#options = options;
    this.#deps = deps;
    const { archive, torn } = options;
    this.#follower = createFollower(
      {
        ...options,
        saw(batch) {
          archive?.saw(batch);
          torn?.saw(batch);
        },
        ended: (end) => torn?.ended(end),
      },
      { ...deps, breathe: () => setImmediate() },
    );
    this.#commitAtMs = deps.clock.monotonic() + options.commitMs;
    this.ended = this.#run();
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#wake();
    await this.ended;
  }

  async #run(): Promise<void> {
    while (!this.#closing) {
      const more = await this.#follower.look();
      await this.#onTime();
      if (more) await setImmediate();
      else {
        this.#tidy();
        await this.#sleep();
      }
    }
    this.#follower.listAgain();
    while (await this.#follower.look()) await this.#onTime();
    await this.#commit();
    this.#follower.tick(this.#deps.clock.now());
    await this.#end();
  }

  async #commit(): Promise<void> {
    const whole = await this.#follower.commit();
    if (whole) await this.#options.archive?.committed(this.#follower.seen());
  }

  /** Beside the loop: a large file takes seconds. */
  #tidy(): void {
    const { archive } = this.#options;
    if (archive === undefined || this.#tidying) return;
    this.#tidying = true;
    void archive.tidy(this.#follower.seen()).finally(() => {
      this.#tidying = false;
    });
  }

  async #onTime(): Promise<void> {
    const nowMs = this.#deps.clock.monotonic();
    if (nowMs >= this.#commitAtMs) {
      await this.#commit();
      this.#commitAtMs = this.#deps.clock.monotonic() + this.#options.commitMs;
    }
    if (nowMs >= this.#tickAtMs) {
      this.#follower.tick(this.#deps.clock.now());
      this.#tickAtMs = nowMs + LIMITS.tickMs;
    }
    const { failing } = this.#follower;
    if (failing.join(" ") === this.#failing) return;
    this.#failing = failing.join(" ");
    this.#deps.failing(failing);
  }

  async #sleep(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#deps.timers.after(LIMITS.lookMs, resolve);
    this.#wake = resolve;
    // Asked to end while it looked.
    if (this.#closing) resolve();
    await promise;
    cancel();
  }

  async #end(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<"late">();
    const cancel = this.#deps.timers.after(LIMITS.closeMs, () => resolve("late"));
    if ((await Promise.race([this.#follower.close(), late])) === "late") {
      this.#deps.log.warn(
        "audit: readers of the log did not end in time; they go on at the next start",
      );
    }
    cancel();
  }
}
