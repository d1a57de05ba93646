/**
 * Counts failed verifications per address, so that whoever keeps sending bad credentials is
 * answered before any signature is checked.
 *
 * Each address has a token bucket (GCRA: one time per bucket says how full it is). The buckets lie
 * in a sketch of fixed size: an address has one cell in each of four rows, chosen by a secret hash,
 * and counts as spent only when all four cells do. So memory does not grow with the number of
 * addresses, and nothing is ever evicted: sending from many addresses cannot win back a budget,
 * which any table that forgets could be made to do. The price: with n spent addresses at once, an
 * innocent one shares all four cells with them with a chance of about (n / 65536)^4, one in 1800
 * for ten thousand.
 *
 * IPv6 addresses count by their /64: one host has a whole one to itself.
 */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { Clock, Counter, Metrics } from "../model/ports.ts";

export const failureBudgetSchema = z
  .strictObject({
    burst: z
      .int()
      .min(1)
      .max(100_000)
      .default(100)
      .describe("Failed verifications that an address may cause at once."),
    perSecond: z
      .number()
      .min(0.01)
      .max(10_000)
      .default(10)
      .describe(
        "Failed verifications that it may go on causing each second. At 10 an address costs at most 0.1 % of a core, and one broken client behind a shared address does not lock out the others.",
      ),
  })
  .readonly();

export type FailureBudgetOptions = z.output<typeof failureBudgetSchema>;

export interface FailureBudget {
  /** Whether the address has used up its budget. Allocates nothing while nobody has. */
  spent(address: string): boolean;
  /** Counts one failed verification. */
  charge(address: string): void;
}

export interface FailureBudgetDeps {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Where the secret of the hash comes from. Default: the system's randomness. */
  readonly random?: (bytes: number) => Uint8Array;
}

const LIMITS = {
  rows: 4,
  /** Cells in a row; 4 rows × 65536 × 8 bytes are 2 MiB. A power of two. */
  cells: 65_536,
} as const;

export function createFailureBudget(
  options: FailureBudgetOptions,
  deps: FailureBudgetDeps,
): FailureBudget {
  return new Sketch(options, deps);
}

class Sketch implements FailureBudget {
  readonly #clock: Clock;
  readonly #charges: Counter;
  readonly #seed: Uint32Array;
  /** Monotonic ms at which the bucket of a cell is full again. */
  readonly #fullAt = new Float64Array(LIMITS.rows * LIMITS.cells);
  readonly #intervalMs: number;
  readonly #depthMs: number;
  /** The latest of all `fullAt`: while it is near, no bucket can be empty. */
  #latest = 0;
  readonly #cells = new Uint32Array(LIMITS.rows);

  constructor(options: FailureBudgetOptions, deps: FailureBudgetDeps) {
    this.#clock = deps.clock;
    this.#intervalMs = 1000 / options.perSecond;
    this.#depthMs = this.#intervalMs * options.burst;
    const seed = (deps.random ?? randomBytes)(LIMITS.rows * 4);
    this.#seed = new Uint32Array(LIMITS.rows);
    const view = new DataView(seed.buffer, seed.byteOffset, LIMITS.rows * 4);
    for (let row = 0; row < LIMITS.rows; row++) this.#seed[row] = view.getUint32(row * 4);
    this.#charges = deps.metrics
      .counter("sallyport_failure_budget_charges", "Failed verifications that were counted.", [])
      .with();
  }

  spent(address: string): boolean {
    // A bucket is empty when it will be full only after more than this.
    const emptyFrom = this.#clock.monotonic() + this.#depthMs - this.#intervalMs;
    if (this.#latest <= emptyFrom) return false;
    this.#locate(address);
    return this.#estimate() > emptyFrom;
  }

  charge(address: string): void {
    const now = this.#clock.monotonic();
    this.#locate(address);
    // Only the fullest estimate grows ("conservative update"): cells that an address shares with a
    // worse one are not pushed further by it.
    const fullAt = Math.max(this.#estimate(), now) + this.#intervalMs;
    // A bucket holds no more debt than its depth: whoever stops is forgiven after one refill.
    const bounded = Math.min(fullAt, now + this.#depthMs);
    for (const cell of this.#cells) {
      if ((this.#fullAt[cell] ?? 0) < bounded) this.#fullAt[cell] = bounded;
    }
    if (bounded > this.#latest) this.#latest = bounded;
    this.#charges.inc();
  }

  #estimate(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const cell of this.#cells) least = Math.min(least, this.#fullAt[cell] ?? 0);
    return least;
  }

  #locate(address: string): void {
    const key = networkOf(address);
    for (let row = 0; row < LIMITS.rows; row++) {
      const cell = mix(key, this.#seed[row] ?? 0) & (LIMITS.cells - 1);
      this.#cells[row] = row * LIMITS.cells + cell;
    }
  }
}

/** The IPv4 address, or the first 64 bits of the IPv6 address in one spelling. */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("%", 1)[0]?.split("::") ?? [];
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups =
    tail === undefined ? front : [...front, ...zeros(8 - front.length - back.length), ...back];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}

function zeros(count: number): string[] {
  return Array.from({ length: Math.max(0, count) }, () => "0");
}

/** MurmurHash3's rounds over the characters; the seed keeps strangers from aiming at a cell. */
function mix(key: string, seed: number): number {
  let value = seed;
  for (let index = 0; index < key.length; index++) {
    value = Math.imul(value ^ Math.imul(key.charCodeAt(index), 0xcc9e2d51), 0x1b873593);
    value = ((value << 13) | (value >>> 19)) + 0xe6546b64;
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
