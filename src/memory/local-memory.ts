/**
 * The memory of one process: what stands alone remembers here, and a supervisor for its workers. A space
 * that is full refuses what is new until something in it has expired; it never forgets what still counts.
 */
import { SallyportError } from "../model/errors.ts";
import type { Clock, Timers } from "../model/ports.ts";
import type { SharedMemory } from "../model/shared-memory.ts";

const LIMITS = {
  /** Entries of one space: 7 500 proofs a second for the minute that each is remembered. */
  entries: 500_000,
  /** Bytes of one space, so that large values cannot take what the entries allow. */
  bytes: 256 * 1024 * 1024,
  /** Spaces; each is named in our code. */
  spaces: 64,
  keyChars: 512,
  valueChars: 256 * 1024,
} as const;

/** Heap of an entry beside its texts: in two tables, measured on Node. */
const ENTRY_BYTES = 200;

/** What expires within one of these is forgotten together. */
const SLOT_MS = 1000;

/** One that answers at once. */
export interface LocalMemory extends SharedMemory {
  claim(space: string, key: string, ttlMs: number): boolean;
  agree(space: string, key: string, value: string, ttlMs: number): string;
  get(space: string, key: string): string | undefined;
  put(space: string, key: string, value: string, ttlMs: number): void;
  remove(space: string, key: string): void;
  /** Entries by space, those included that have expired and are not given out. */
  sizes(): ReadonlyMap<string, number>;
}

export interface LocalMemoryOptions {
  /** Entries of one space. */
  readonly maxEntries?: number;
  /** Bytes of one space, estimated. */
  readonly maxBytes?: number;
}

export interface LocalMemoryDeps {
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: Timers;
}

export function createLocalMemory(
  deps: LocalMemoryDeps,
  { maxEntries = LIMITS.entries, maxBytes = LIMITS.bytes }: LocalMemoryOptions = {},
): LocalMemory {
  const spaces = new Map<string, Space>();
  const now = (): number => deps.clock.monotonic();
  let sweeping = false;

  function spaceOf(name: string): Space {
    let space = spaces.get(name);
    if (space === undefined) {
      if (spaces.size >= LIMITS.spaces) throw new SallyportError("memory-full", "too many spaces");
      spaces.set(name, (space = new Space(name, { maxEntries, maxBytes })));
    }
    return space;
  }

  function keep(name: string, key: string, { value, ttlMs }: { value: string; ttlMs: number }) {
    if (key.length > LIMITS.keyChars || value.length > LIMITS.valueChars) {
      throw new SallyportError("memory-full", `the memory ${name} takes no entry of that size`);
    }
    if (!(ttlMs > 0)) throw new TypeError("an entry lives for more than no time");
    spaceOf(name).set(key, value, { now: now(), ttlMs });
    sweepLater();
  }

  function sweepLater(): void {
    if (sweeping) return;
    sweeping = true;
    deps.timers.after(SLOT_MS, () => {
      sweeping = false;
      let left = 0;
      for (const space of spaces.values()) {
        space.sweep(now());
        left += space.size;
      }
      if (left > 0) sweepLater();
    });
  }

  return {
    // It ends with the only process that ever claimed in it.
    since: 0,
    claim(name, key, ttlMs) {
      if (spaces.get(name)?.get(key, now()) !== undefined) return false;
      keep(name, key, { value: "", ttlMs });
      return true;
    },
    agree(name, key, value, ttlMs) {
      const known = spaces.get(name)?.get(key, now());
      if (known === undefined) keep(name, key, { value, ttlMs });
      return known ?? value;
    },
    get: (name, key) => spaces.get(name)?.get(key, now()),
    put: (name, key, value, ttlMs) => keep(name, key, { value, ttlMs }),
    remove: (name, key) => spaces.get(name)?.remove(key),
    sizes: () => new Map([...spaces].map(([name, { size }]) => [name, size])),
  };
}

interface Entry {
  readonly value: string;
  readonly expiresAt: number;
}

class Space {
  readonly #name: string;
  readonly #bounds: Required<LocalMemoryOptions>;
  readonly #entries = new Map<string, Entry>();
  /** Keys by the slot in which they expire, so that forgetting looks at nothing else. */
  readonly #slots = new Map<number, Set<string>>();
  /** All slots up to this one are empty. */
  #swept = 0;
  #bytes = 0;

  constructor(name: string, bounds: Required<LocalMemoryOptions>) {
    this.#name = name;
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string, now: number): string | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && now < entry.expiresAt ? entry.value : undefined;
  }

  set(key: string, value: string, { now, ttlMs }: { now: number; ttlMs: number }): void {
    if (this.#entries.size === 0) this.#swept = Math.floor(now / SLOT_MS);
    const known = this.#entries.get(key);
    const bytes = weigh(key, value) - (known === undefined ? 0 : weigh(key, known.value));
    const entries = known === undefined ? 1 : 0;
    if (!this.#hasRoom(entries, bytes)) this.sweep(now);
    if (!this.#hasRoom(entries, bytes)) {
      throw new SallyportError("memory-full", `the memory ${this.#name} is full`);
    }
    this.remove(key);
    const expiresAt = now + ttlMs;
    this.#entries.set(key, { value, expiresAt });
    this.#bytes += weigh(key, value);
    const slot = slotOf(expiresAt);
    const keys = this.#slots.get(slot);
    if (keys === undefined) this.#slots.set(slot, new Set([key]));
    else keys.add(key);
  }

  remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= weigh(key, entry.value);
    const slot = slotOf(entry.expiresAt);
    const keys = this.#slots.get(slot);
    keys?.delete(key);
    if (keys?.size === 0) this.#slots.delete(slot);
  }

  sweep(now: number): void {
    const last = Math.floor(now / SLOT_MS);
    for (let slot = this.#swept + 1; slot <= last && this.#slots.size > 0; slot++) {
      for (const key of this.#slots.get(slot) ?? []) this.remove(key);
    }
    this.#swept = last;
  }

  #hasRoom(entries: number, bytes: number): boolean {
    const { maxEntries, maxBytes } = this.#bounds;
    return this.#entries.size + entries <= maxEntries && this.#bytes + bytes <= maxBytes;
  }
}

/** The first whole slot at whose beginning it has expired. */
function slotOf(expiresAt: number): number {
  return Math.ceil(expiresAt / SLOT_MS);
}

function weigh(key: string, value: string): number {
  return ENTRY_BYTES + key.length + value.length;
}
