/**
 * Keeps the addresses of one name: asks again when the answer has run out, and keeps the last good
 * one where no answer comes.
 */
import type { NameResolver, Timers } from "../model/ports.ts";

const LIMITS = {
  /** An answer is asked for again after its TTL, held within these: 0 would be a query a request. */
  minTtlSeconds: 1,
  maxTtlSeconds: 300,
  /** Where there is no TTL, and after a failure. */
  everyMs: 5000,
  /** Who waits for the first answer waits no longer than this. */
  firstMs: 3000,
  /** Addresses of one name; more are left out, as they would be endpoints. */
  addresses: 256,
} as const;

export interface NameWatchDeps {
  readonly resolver: NameResolver;
  readonly timers: Timers;
  /** Other addresses than before, in order, each once; at least one. */
  readonly changed: (addresses: readonly string[]) => void;
  readonly resolved: () => void;
  /** `again`: the one before failed too. */
  readonly failed: (error: Error, again: boolean) => void;
}

export class NameWatch {
  readonly #name: string;
  readonly #deps: NameWatchDeps;
  #addresses = "";
  #failing = false;
  #closed = false;
  #stop: (() => void) | undefined;

  constructor(name: string, deps: NameWatchDeps) {
    this.#name = name;
    this.#deps = deps;
  }

  /** Resolves after the first answer, or when it is too long in coming; never rejects. */
  async start(): Promise<void> {
    const first = this.#ask();
    let stop: (() => void) | undefined;
    const late = new Promise<void>((resolve) => {
      stop = this.#deps.timers.after(LIMITS.firstMs, resolve);
    });
    await Promise.race([first, late]);
    stop?.();
  }

  close(): void {
    this.#closed = true;
    this.#stop?.();
  }

  async #ask(): Promise<void> {
    let nextMs: number = LIMITS.everyMs;
    try {
      const { addresses, ttlSeconds } = await this.#deps.resolver.resolve(this.#name);
      if (this.#closed) return;
      if (addresses.length === 0) throw new Error("the name has no address");
      if (ttlSeconds !== undefined) nextMs = heldTtl(ttlSeconds) * 1000;
      this.#found(addresses);
    } catch (error) {
      if (this.#closed) return;
      this.#deps.failed(error instanceof Error ? error : new Error(String(error)), this.#failing);
      this.#failing = true;
    }
    this.#stop = this.#deps.timers.after(nextMs, () => void this.#ask());
  }

  #found(addresses: readonly string[]): void {
    this.#failing = false;
    this.#deps.resolved();
    // Servers turn the order from answer to answer.
    const sorted = [...new Set(addresses)].toSorted().slice(0, LIMITS.addresses);
    const text = sorted.join(" ");
    if (text === this.#addresses) return;
    this.#addresses = text;
    this.#deps.changed(sorted);
  }
}

function heldTtl(seconds: number): number {
  return Math.min(LIMITS.maxTtlSeconds, Math.max(LIMITS.minTtlSeconds, seconds));
}
