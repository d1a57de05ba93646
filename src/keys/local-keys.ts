/**
 * Keys that sign assertions and that this process has made itself: the same schedule as those of an
 * authority, and kept nowhere but in memory. Its public halves are for whoever publishes them.
 *
 * A key is used once those who verify know it, where somebody else has to publish it (`known`); and in
 * any case where there is no other, since a request that is not vouched for is a request that fails.
 */
import { generateSigningKey, type SigningKey } from "../crypto/signing-key.ts";
import type { Clock, Log, Timers } from "../model/ports.ts";
import type { KeyUse, PublishedKey, Signer, SigningAlgorithm } from "../model/signing.ts";
import { Listeners } from "./listeners.ts";
import { keyPolicy } from "./key-policy.ts";
import {
  currentOf,
  isPublished,
  nextDueMs,
  type SchedulePolicy,
  stepsDue,
  type Times,
  timesOf,
} from "./schedule.ts";

const LIMITS = {
  /** Between two looks at the clock: it may have been set, and a machine may have slept. */
  lookMs: 30_000,
  /** The same while a key is not known yet. */
  unknownMs: 1000,
  /** Between two keys; the default of `authority.rotate`. */
  rotateMs: 24 * 3_600_000,
} as const;

const USE: KeyUse = "assertions";

export interface LocalKeysDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** What new keys are. */
  readonly algorithm: () => SigningAlgorithm;
  /** Whether those who verify know the key; left out: they do as soon as it is there. */
  readonly known?: ((kid: string) => boolean) | undefined;
}

/** One with its private half; it is handed to nobody but workers of the same machine. */
export interface LocalKey {
  readonly key: SigningKey;
  readonly published: PublishedKey;
}

export interface LocalKeys {
  /**
   * The key for one signature; ask again for the next. Never throws: there is always one. The first is made
   * when it is first asked for: until then nobody has said what it should be like.
   */
  current(): Signer;
  /** All that are to be known now. */
  published(): readonly PublishedKey[];
  /** With private halves: those that may sign now or later. */
  keys(): readonly LocalKey[];
  /** The same of all that are published, whether anybody knows them or not. */
  all(): readonly LocalKey[];
  /** Called after what is used or published may have changed. Returns the function that ends it. */
  changed(listener: () => void): () => void;
  close(): void;
}

export function createLocalKeys(deps: LocalKeysDeps): LocalKeys {
  return new ScheduledLocalKeys(deps);
}

interface Held extends Times {
  readonly key: SigningKey;
  readonly signs: boolean;
}

class ScheduledLocalKeys implements LocalKeys {
  readonly #deps: LocalKeysDeps;
  readonly #policy: SchedulePolicy;
  readonly #listeners: Listeners;
  #held: readonly Held[] = [];
  /** Of those that still sign: the known ones, or all where none is. */
  #usable: readonly Held[] = [];
  #current: SigningKey | undefined;
  /** Until here, and since there, `#current` is the right one. */
  #untilMs = 0;
  #sinceMs = 0;
  #shown = "";
  #callOff: (() => void) | undefined;
  #closed = false;

  constructor(deps: LocalKeysDeps) {
    this.#deps = deps;
    this.#listeners = new Listeners(deps.log);
    // The algorithm is no matter of times.
    this.#policy = keyPolicy(USE, {
      algorithm: "EdDSA",
      rotateMs: LIMITS.rotateMs,
      lifetimeMs: 60_000,
    });
  }

  current(): Signer {
    const nowMs = this.#deps.clock.now();
    if (this.#callOff === undefined && !this.#closed) this.#look();
    else if (this.#current === undefined || nowMs >= this.#untilMs || nowMs < this.#sinceMs) {
      this.#settle(nowMs);
    }
    if (this.#current === undefined) throw new TypeError("a ring without a key");
    return this.#current;
  }

  published(): readonly PublishedKey[] {
    const nowMs = this.#deps.clock.now();
    return this.#held.filter((held) => isPublished(held, nowMs)).map(publishedOf);
  }

  keys(): readonly LocalKey[] {
    return this.#usable.map(localKey);
  }

  all(): readonly LocalKey[] {
    const nowMs = this.#deps.clock.now();
    return this.#held.filter((held) => isPublished(held, nowMs)).map(localKey);
  }

  changed(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  close(): void {
    this.#closed = true;
    this.#callOff?.();
  }

  #look(): void {
    if (this.#closed) return;
    const nowMs = this.#deps.clock.now();
    this.#settle(nowMs);
    const waitMs = Math.max(1, this.#untilMs - nowMs);
    this.#callOff = this.#deps.timers.after(waitMs, () => this.#look());
  }

  /** Does what is due, and finds the key of now. */
  #settle(nowMs: number): void {
    for (let round = 0; round < 4; round++) {
      const steps = stepsDue(this.#held, this.#policy, nowMs);
      if (steps.length === 0) break;
      let held = [...this.#held];
      for (const step of steps) {
        if (step.do === "make") held.push(this.#make(step.times));
        else if (step.do === "remove") held = held.filter((one) => one !== step.key);
        else {
          const next =
            step.do === "move" ? { ...step.key, ...step.times } : { ...step.key, signs: false };
          held = held.map((one) => (one === step.key ? next : one));
        }
      }
      this.#held = held;
    }
    const known = this.#deps.known ?? (() => true);
    const signing = this.#held.filter(({ signs }) => signs);
    const usable = signing.filter(({ key }) => known(key.kid));
    this.#usable = currentOf(usable, nowMs) === undefined ? signing : usable;
    this.#current = currentOf(this.#usable, nowMs)?.key;
    // Whether a key is known may be another answer the next time.
    const soonMs = usable.length === signing.length ? LIMITS.lookMs : LIMITS.unknownMs;
    this.#untilMs = Math.min(nextDueMs(this.#held, this.#policy, nowMs), nowMs + soonMs);
    this.#sinceMs = nowMs;
    const shown = JSON.stringify([kids(this.#held), kids(this.#usable)]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#listeners.notify();
  }

  #make(times: Times): Held {
    const key = generateSigningKey(this.#deps.algorithm());
    const inSeconds = (times.activeMs - times.createdMs) / 1000;
    this.#deps.log.info("a key for assertions was made", {
      kid: key.kid,
      active_in_seconds: inSeconds,
    });
    return { key, signs: true, ...times };
  }
}

function localKey(held: Held): LocalKey {
  return { key: held.key, published: publishedOf(held) };
}

function kids(held: readonly Held[]): readonly string[] {
  return held.map(({ key }) => key.kid);
}

function publishedOf(held: Held): PublishedKey {
  const { kid, algorithm, jwk } = held.key;
  const { activeMs, retiredMs, removedMs } = timesOf(held);
  return { kid, use: USE, algorithm, jwk, activeMs, retiredMs, removedMs };
}
