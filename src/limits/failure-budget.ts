/**
 * Counts failed verifications per address, so that whoever keeps sending bad credentials is
 * answered before any signature is checked.
 *
 * Each address has a token bucket (GCRA: one time per bucket says how full it is). The buckets lie
 * in a sketch of fixed size (time-sketch.ts), so sending from many addresses cannot win back a
 * budget; the price is that a few innocent addresses may share the fate of spent ones.
 *
 * IPv6 addresses count by their /64: one host has a whole one to itself.
 */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { Clock, Counter, Metrics } from "../model/ports.ts";
import { type Random, TimeSketch } from "./time-sketch.ts";

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

/** One that a reload can change. */
export interface AdjustableFailureBudget extends FailureBudget {
  /**
   * What is granted from now on. What was counted stays: the time until a bucket is full again, at most
   * that of the former burst, so that nobody wins a budget back by it.
   */
  adjust(options: FailureBudgetOptions): void;
}

export interface FailureBudgetDeps {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Where the secret of the hash comes from. Default: the system's randomness. */
  readonly random?: Random;
}

export function createFailureBudget(
  options: FailureBudgetOptions,
  deps: FailureBudgetDeps,
): AdjustableFailureBudget {
  return new Budget(options, deps);
}

class Budget implements AdjustableFailureBudget {
  readonly #clock: Clock;
  readonly #charges: Counter;
  /** Monotonic ms at which the bucket of an address is full again. */
  readonly #fullAt: TimeSketch;
  #intervalMs = 0;
  #depthMs = 0;

  constructor(options: FailureBudgetOptions, deps: FailureBudgetDeps) {
    this.#clock = deps.clock;
    this.adjust(options);
    this.#fullAt = new TimeSketch(deps.random ?? randomBytes);
    this.#charges = deps.metrics
      .counter("sallyport_failure_budget_charges", "Failed verifications that were counted.", [])
      .with();
  }

  adjust({ perSecond, burst }: FailureBudgetOptions): void {
    this.#intervalMs = 1000 / perSecond;
    this.#depthMs = this.#intervalMs * burst;
  }

  spent(address: string): boolean {
    // A bucket is empty when it will be full only after more than this.
    const emptyFrom = this.#clock.monotonic() + this.#depthMs - this.#intervalMs;
    if (this.#fullAt.latest <= emptyFrom) return false;
    return this.#fullAt.get(networkOf(address)) > emptyFrom;
  }

  charge(address: string): void {
    const now = this.#clock.monotonic();
    const key = networkOf(address);
    const fullAt = Math.max(this.#fullAt.get(key), now) + this.#intervalMs;
    // A bucket holds no more debt than its depth: whoever stops is forgiven after one refill.
    this.#fullAt.raise(key, Math.min(fullAt, now + this.#depthMs));
    this.#charges.inc();
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
