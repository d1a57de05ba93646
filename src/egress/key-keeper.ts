/**
 * Keeps a key for one service at hand: asks for one when it is first needed, and for the next ahead of its
 * expiry, at a moment of its own so that many sidecars do not ask at once. One request is in flight at a time,
 * whoever waits for it. While the authority is away the key at hand serves until it expires; then whoever
 * calls is told so at once, and between tries nobody waits.
 *
 * A key that nobody uses is left to expire: each is a record at the authority.
 */
import type { Clock, Timers } from "../model/ports.ts";
import type { HeldKey } from "./held-key.ts";
import { KeyFault } from "./key-fault.ts";

const LIMITS = {
  /** Of its lifetime: when the next one is asked for, and how much later than that at most. */
  renewAfter: 0.6,
  renewSpread: 0.2,
  /** Milliseconds before its end at which it is used no more: it has to arrive in time. */
  marginMs: 1000,
  /** Milliseconds after a first failure until the next try, doubled with each, and at most. */
  backOffMs: 1000,
  backOffMostMs: 30_000,
  /** Milliseconds between keys that are asked for because a service refused one: one that refuses all of them must not have us ask with every request. */
  refusedMs: 5000,
} as const;

export interface KeyKeeper {
  /** A key that is good now, at once where one is at hand. A promise never rejects. */
  current(): HeldKey | KeyFault | Promise<HeldKey | KeyFault>;
  /** Another than this one, which the service has refused. Undefined: there is none to be had by asking now. */
  instead(spent: HeldKey): Promise<HeldKey | KeyFault> | undefined;
  /** Asks for the first key. Resolves after the first try; never rejects. */
  start(): Promise<void>;
  /** How it does. */
  standing(): KeyStanding;
  close(): void;
}

export interface KeyStanding {
  /** False while there is no key and the last try brought none. */
  readonly ready: boolean;
  /** For operators. */
  readonly text: string;
  /** Milliseconds that the key at hand is good for; undefined where there is none. */
  readonly leftMs: number | undefined;
}

export interface KeyKeeperDeps {
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: Timers;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Asks the authority. Never rejects. */
  readonly obtain: () => Promise<HeldKey | KeyFault>;
  /** Told of every try. */
  readonly noted: (outcome: "obtained" | KeyFault) => void;
}

export function createKeyKeeper(deps: KeyKeeperDeps): KeyKeeper {
  return new Keeper(deps);
}

class Keeper implements KeyKeeper {
  readonly #deps: KeyKeeperDeps;
  #held: HeldKey | undefined;
  #asking: Promise<HeldKey | KeyFault> | undefined;
  /** What the last try brought where it was no key, how many brought none, and when the next one may be. */
  #fault: KeyFault | undefined;
  #failures = 0;
  #nextAt = Number.NEGATIVE_INFINITY;
  /** When the key at hand is to be renewed, and whether it has been used. */
  #renewAt = Number.POSITIVE_INFINITY;
  #used = false;
  #refusedAt = Number.NEGATIVE_INFINITY;
  #callOff: (() => void) | undefined;
  #closed = false;

  constructor(deps: KeyKeeperDeps) {
    this.#deps = deps;
  }

  current(): HeldKey | KeyFault | Promise<HeldKey | KeyFault> {
    const now = this.#deps.clock.monotonic();
    const held = this.#goodAt(now);
    if (held === undefined) return this.#asking ?? this.#resting(now) ?? this.#ask();
    this.#used = true;
    if (now >= this.#renewAt && now >= this.#nextAt) void this.#ask();
    return held;
  }

  instead(spent: HeldKey): Promise<HeldKey | KeyFault> | undefined {
    if (this.#asking !== undefined) return this.#asking;
    const now = this.#deps.clock.monotonic();
    const held = this.#goodAt(now);
    if (held !== undefined && held !== spent) return Promise.resolve(held);
    if (now - this.#refusedAt < LIMITS.refusedMs || now < this.#nextAt) return undefined;
    this.#refusedAt = now;
    this.#held = undefined;
    return this.#ask();
  }

  async start(): Promise<void> {
    await this.#ask();
  }

  standing(): KeyStanding {
    const now = this.#deps.clock.monotonic();
    const held = this.#goodAt(now);
    const fault = this.#fault;
    const leftMs = held === undefined ? undefined : held.expiresAt - now;
    if (leftMs === undefined) {
      if (fault !== undefined) return { ready: false, text: `no key: ${fault.detail}`, leftMs };
      const ready = this.#held !== undefined;
      return { ready, text: ready ? "no key while nobody calls" : "asking for a key", leftMs };
    }
    const good = `a key for ${Math.ceil(leftMs / 1000)} s`;
    return { ready: true, text: fault === undefined ? good : `${good}; ${fault.detail}`, leftMs };
  }

  close(): void {
    this.#closed = true;
    this.#callOff?.();
  }

  #goodAt(now: number): HeldKey | undefined {
    const held = this.#held;
    return held !== undefined && now < held.expiresAt - LIMITS.marginMs ? held : undefined;
  }

  /** What the last try brought, where it is too early for another. */
  #resting(now: number): KeyFault | undefined {
    return now < this.#nextAt ? this.#fault : undefined;
  }

  #ask(): Promise<HeldKey | KeyFault> {
    this.#callOff?.();
    this.#callOff = undefined;
    this.#asking ??= this.#deps.obtain().then((outcome) => {
      this.#asking = undefined;
      if (outcome instanceof KeyFault) this.#failed(outcome);
      else this.#obtained(outcome);
      return outcome;
    });
    return this.#asking;
  }

  #obtained(key: HeldKey): void {
    const { clock, random, noted } = this.#deps;
    this.#held = key;
    this.#fault = undefined;
    this.#failures = 0;
    this.#nextAt = Number.NEGATIVE_INFINITY;
    this.#used = false;
    const part = LIMITS.renewAfter + LIMITS.renewSpread * random();
    this.#renewAt = key.obtainedAt + (key.expiresAt - key.obtainedAt) * part;
    noted("obtained");
    this.#later(Math.max(0, this.#renewAt - clock.monotonic()), () => {
      if (this.#used) void this.#ask();
    });
  }

  #failed(fault: KeyFault): void {
    const { clock, random, noted } = this.#deps;
    this.#fault = fault;
    const most = Math.min(LIMITS.backOffMs * 2 ** this.#failures, LIMITS.backOffMostMs);
    this.#failures += 1;
    // Half of it at least, so that a short draw does not undo it.
    const wait = most * (0.5 + random() / 2);
    this.#nextAt = clock.monotonic() + wait;
    noted(fault);
    this.#later(wait, () => void this.#ask());
  }

  #later(ms: number, run: () => void): void {
    if (this.#closed) return;
    this.#callOff = this.#deps.timers.after(ms, run);
  }
}
