/**
 * A rate limit as a token bucket (GCRA): one number for each key, the time at which its bucket is
 * full again, says all there is to know about it. The arithmetic is `model/rate.ts`.
 *
 * Memory is bounded whatever keys come. A key whose bucket is full again is as good as unknown and
 * makes room first. When every place is taken by a key that still owes, further keys are counted in
 * a sketch of fixed size, which never forgets either and errs only towards refusing. So no flood of
 * keys resets anybody's limit, its sender's own included. What it can do: newcomers share the sketch,
 * and are refused once strangers owe about 65 000 whole bursts there.
 */
import { randomBytes } from "node:crypto";
import type { RateLimiter, RateVerdict } from "../model/ports.ts";
import { type RatePolicy, type RateUnits, rateUnits, rateVerdict } from "../model/rate.ts";
import { type Random, TimeSketch } from "./time-sketch.ts";

export interface GcraDeps {
  /** Told whenever a key had to be counted in the sketch. */
  readonly overflowed?: () => void;
  /** Where the secret of the sketch comes from. Default: the system's randomness. */
  readonly random?: Random;
  /** Keys that are counted each by itself; for tests. */
  readonly maxKeys?: number;
}

/** A limiter that counts in this process: it answers at once. */
export interface LocalRateLimiter extends RateLimiter {
  take(key: string, cost: number, nowMs: number): RateVerdict;
  /** Keys that are counted now. */
  readonly keys: number;
}

const LIMITS = {
  /** Keys that are counted each by itself: some 10 MB of memory with keys of usual length. */
  keys: 65_536,
  /** Old keys that each new one looks at when there is room: enough that the table shrinks by itself. */
  sweep: 2,
  /** The same when it is full: new keys find a place as long as one in eight owes nothing. */
  sweepFull: 8,
  /** First size of the table of times. */
  firstTimes: 64,
} as const;

/** Checks the policy (TypeError) and returns the limiter. `nowMs` must not go back. */
export function createGcra(policy: RatePolicy, deps: GcraDeps = {}): LocalRateLimiter {
  return new Gcra(rateUnits(policy), deps);
}

class Gcra implements LocalRateLimiter {
  readonly #units: RateUnits;
  readonly #maxKeys: number;
  readonly #random: Random;
  readonly #overflowed: (() => void) | undefined;
  /** Place of each key in `#times`. */
  readonly #places = new Map<string, number>();
  /** When the bucket is full again. */
  #times = new Float64Array(LIMITS.firstTimes);
  readonly #free: number[] = [];
  /** Goes round the keys, oldest first, and takes away those that owe nothing. */
  #hand: Iterator<string> | undefined;
  #sketch: TimeSketch | undefined;

  constructor(units: RateUnits, deps: GcraDeps) {
    this.#units = units;
    this.#maxKeys = deps.maxKeys ?? LIMITS.keys;
    this.#random = deps.random ?? randomBytes;
    this.#overflowed = deps.overflowed;
  }

  get keys(): number {
    return this.#places.size;
  }

  take(key: string, cost: number, nowMs: number): RateVerdict {
    const { scale, step, depth } = this.#units;
    const now = Math.floor(nowMs) * scale;
    const place = this.#places.get(key);
    const known = place === undefined ? this.#sketched(key, now) : (this.#times[place] ?? 0);
    const fullAt = Math.max(known, now);
    const next = fullAt + cost * step;
    const beyond = next - now - depth;
    if (beyond > 0) return rateVerdict(this.#units, { owed: fullAt - now, beyond });
    if (place === undefined) this.#store(key, next, now);
    else this.#times[place] = next;
    return rateVerdict(this.#units, { owed: next - now, beyond: 0 });
  }

  giveBack(key: string, cost: number, _nowMs: number): void {
    const place = this.#places.get(key);
    // What the sketch counts stays counted: its cells may stand for others too.
    if (place === undefined) return;
    this.#times[place] = (this.#times[place] ?? 0) - cost * this.#units.step;
  }

  #sketched(key: string, now: number): number {
    const sketch = this.#sketch;
    return sketch === undefined || sketch.latest <= now ? 0 : sketch.get(key);
  }

  #store(key: string, fullAt: number, now: number): void {
    const full = this.#places.size >= this.#maxKeys;
    this.#sweep(full ? LIMITS.sweepFull : LIMITS.sweep, now);
    if (this.#places.size >= this.#maxKeys) {
      this.#overflowed?.();
      this.#sketch ??= new TimeSketch(this.#random);
      this.#sketch.raise(key, fullAt);
      return;
    }
    const place = this.#free.pop() ?? this.#places.size;
    if (place >= this.#times.length) this.#grow();
    this.#times[place] = fullAt;
    this.#places.set(key, place);
  }

  /** Looks at the next few keys; those whose bucket is full again go. */
  #sweep(steps: number, now: number): void {
    for (let step = 0; step < steps; step++) {
      this.#hand ??= this.#places.keys();
      const next = this.#hand.next();
      if (next.done === true) {
        this.#hand = undefined;
        return;
      }
      const place = this.#places.get(next.value) ?? 0;
      if ((this.#times[place] ?? 0) > now) continue;
      this.#places.delete(next.value);
      this.#free.push(place);
    }
  }

  #grow(): void {
    const larger = new Float64Array(this.#times.length * 2);
    larger.set(this.#times);
    this.#times = larger;
  }
}
