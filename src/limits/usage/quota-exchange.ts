/**
 * Counts quotas across machines: says four times a second in common what was let through here, and hears
 * what all have let through of the principals that asked. So a principal can go beyond its quota by what
 * other machines let through in that time, and no request waits.
 *
 * While there is no answer, each machine goes on with what it knows; what it let through meanwhile is said
 * once it can be. A batch without an answer is said again as it was, so nothing counts twice. Where sums were
 * lost, all that is known is said anew.
 */
import type { CommonQuotas, QuotaEntry } from "../../model/common-quotas.ts";
import { SallyportError } from "../../model/errors.ts";
import type { Clock, Log, Timers } from "../../model/ports.ts";
import type { QuotaStep, QuotaUse } from "../../model/quota-steps.ts";
import { periodEnd } from "./periods.ts";
import type { QuotaMeter } from "./quota-meter.ts";

const LIMITS = {
  /** Milliseconds between two rounds. */
  roundMs: 250,
  /** Milliseconds after which it asks even where there is nothing to say: sums may have been lost. */
  beatMs: 5000,
  /** Entries of one batch, some 150 bytes each: Redis does nothing else meanwhile. */
  batch: 500,
  /** Milliseconds for which sums outlive their period: clocks differ, and answers get lost. */
  afterMs: 600_000,
} as const;

export interface QuotaExchangeDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly common: CommonQuotas;
  /** Given what other machines let through; to be merged into the meter, and told to whoever counts with it. */
  readonly heard: (steps: readonly QuotaStep[]) => void;
}

interface Batch {
  readonly number: number;
  readonly entries: readonly QuotaEntry[];
}

export class QuotaExchange {
  readonly #meter: QuotaMeter;
  readonly #deps: QuotaExchangeDeps;
  /** What was let through and not said yet, by principal and period. */
  readonly #pending = new Map<string, QuotaStep>();
  /** Said, and perhaps not heard. */
  #batch: Batch | undefined;
  #number = 0;
  /** Of the last batch that was answered. */
  #heard = -1;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #round: Promise<void> | undefined;
  #cancel: () => void = () => undefined;
  #closed = false;
  #answers = true;

  constructor(meter: QuotaMeter, deps: QuotaExchangeDeps) {
    this.#meter = meter;
    this.#deps = deps;
  }

  start(): void {
    this.#cancel = this.#deps.timers.after(LIMITS.roundMs, () => {
      void this.round().finally(() => {
        if (!this.#closed) this.start();
      });
    });
  }

  /** What was let through on this machine, and is in the meter already. */
  add(steps: Iterable<QuotaStep>): void {
    for (const step of steps) {
      const [principal, period, start, ...more] = step;
      const name = nameOf(step);
      const [, , , ...known] = this.#pending.get(name) ?? [principal, period, start, 0, 0, 0];
      const [requests = 0, bytes = 0, cost = 0] = known.map((sum, part) => sum + (more[part] ?? 0));
      this.#pending.set(name, [principal, period, start, requests, bytes, cost]);
    }
  }

  /**
   * Of what this machine let through before it was started, that of which the others do not know: of the
   * principals that have been said in common they do.
   */
  missing(steps: readonly QuotaStep[]): readonly QuotaStep[] {
    const asked = new Set(
      this.#answers ? this.#batch?.entries.map(({ step }) => nameOf(step)) : [],
    );
    return steps.filter((step) => {
      const [id, period, start] = step;
      return this.#meter.known(id, period, start)?.common !== true && !asked.has(nameOf(step));
    });
  }

  /** Says and hears all there is. Never rejects; two at once are one. */
  round(): Promise<void> {
    this.#round ??= this.#run().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  /** Says what is left, once. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#round;
    await this.round();
  }

  async #run(): Promise<void> {
    try {
      while (this.#next()) await this.#say();
      this.#tell(true);
    } catch (error) {
      this.#tell(false, error);
    }
  }

  /** Whether there is something to say. */
  #next(): boolean {
    if (this.#batch !== undefined) return true;
    this.add(this.#meter.drain());
    const nowMs = this.#deps.clock.now();
    const entries: QuotaEntry[] = [];
    for (const [name, step] of this.#pending) {
      if (entries.length === LIMITS.batch) break;
      this.#pending.delete(name);
      const entry = this.#entry(step, nowMs);
      if (entry !== undefined) entries.push(entry);
    }
    if (entries.length === 0 && !this.#beats()) return false;
    this.#batch = { number: this.#number++, entries };
    return true;
  }

  #beats(): boolean {
    return this.#heard >= 0 && this.#deps.clock.monotonic() >= this.#askedAtMs + LIMITS.beatMs;
  }

  /** Undefined: its period is over. */
  #entry(step: QuotaStep, nowMs: number): QuotaEntry | undefined {
    const [id, period, start, requests, bytes, cost] = step;
    const tally = this.#meter.known(id, period, start);
    const endMs = periodEnd(period, start);
    if (tally === undefined || endMs <= nowMs) return undefined;
    const known = {
      requests: Math.max(0, tally.requests - requests),
      bytes: Math.max(0, tally.bytes - bytes),
      cost: Math.max(0, tally.cost - cost),
    };
    return { step, known, keepMs: endMs - nowMs + LIMITS.afterMs };
  }

  async #say(): Promise<void> {
    const { number, entries } = this.#batch ?? { number: 0, entries: [] };
    this.#askedAtMs = this.#deps.clock.monotonic();
    const { last, uses } = await this.#deps.common.add(number, entries);
    const lost = last < this.#heard;
    this.#heard = number;
    this.#batch = undefined;
    for (const { step } of entries) {
      const [id, period, start] = step;
      const tally = this.#meter.known(id, period, start);
      if (tally !== undefined) tally.common = true;
    }
    const steps = entries.flatMap((entry, index) => othersStep(entry, uses[index]) ?? []);
    if (steps.length > 0) this.#deps.heard(steps);
    if (lost) this.#sayAll();
  }

  /** Others may be refused what they have used up: then nothing new would be said of them. */
  #sayAll(): void {
    this.#deps.log.warn(
      "quotas across machines: sums were lost in common; what is known is said anew",
    );
    for (const [id, period, start] of this.#meter.dump(this.#deps.clock.now())) {
      this.add([[id, period, start, 0, 0, 0]]);
    }
  }

  /** Once for each change. */
  #tell(answers: boolean, error?: unknown): void {
    if (answers === this.#answers) return;
    this.#answers = answers;
    const { log } = this.#deps;
    if (answers) log.info("quotas across machines: counted in common again");
    else {
      const why = error instanceof SallyportError ? error.message : String(error);
      log.warn("quotas across machines: not counted in common; each machine counts by itself", {
        why,
      });
    }
  }
}

function nameOf([principal, period, start]: QuotaStep): string {
  return `${period} ${start} ${principal}`;
}

/** What all have used beyond what was known with the step; undefined: nothing. */
function othersStep(
  { step, known }: QuotaEntry,
  all: QuotaUse = known,
): readonly QuotaStep[] | undefined {
  const [id, period, start, requests, bytes, cost] = step;
  const others = {
    requests: Math.max(0, all.requests - known.requests - requests),
    bytes: Math.max(0, all.bytes - known.bytes - bytes),
    cost: Math.max(0, all.cost - known.cost - cost),
  };
  if (others.requests + others.bytes + others.cost === 0) return undefined;
  return [[id, period, start, others.requests, others.bytes, others.cost]];
}
