/**
 * The quotas of this process: opened from the book of usage where it is alone or supervises others, told
 * by its supervisor where it is one of several workers. Across machines only the first two count.
 */
import { existsSync } from "node:fs";
import { periodSteps } from "../limits/usage/period-steps.ts";
import { openLogNames } from "../audit/redact/logged-names.ts";
import { QuotaExchange } from "../limits/usage/quota-exchange.ts";
import { QuotaMeter } from "../limits/usage/quota-meter.ts";
import { readUsage, usageFile } from "../limits/usage/usage-database.ts";
import type { Config } from "../config/schema.ts";
import type { CommonQuotas } from "../model/common-quotas.ts";
import type { Clock, Log, Metrics, Timers } from "../model/ports.ts";
import type { QuotaStep } from "../model/quota-steps.ts";
import type { AuditLog, CompletionRecord } from "../model/records.ts";

export interface QuotasDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly timers: Timers;
}

/** Lives as long as its process; there is a meter once a configuration with `usage` is there. */
export class Quotas {
  readonly #deps: QuotasDeps;
  meter: QuotaMeter | undefined;
  #exchange: QuotaExchange | undefined;
  /** What was told before there was one. */
  #early: QuotaStep[] = [];

  constructor(deps: QuotasDeps) {
    this.#deps = deps;
  }

  /** `book`: begins with what was used before, as the book has it. Rejects with SallyportError where that cannot be read. */
  async open({ usage, audit }: Config, { book }: { readonly book: boolean }): Promise<void> {
    if (usage === undefined || this.meter !== undefined) return;
    const names = await openLogNames(audit, this.#deps.clock);
    this.meter = new QuotaMeter(usage, { ...this.#deps, names });
    const now = this.#deps.clock.now();
    const file = usageFile(usage, audit.path);
    if (book && this.meter.periods.length > 0 && existsSync(file)) {
      const database = readUsage(file);
      try {
        this.meter.merge(periodSteps(database, this.meter.periods, now), now);
      } finally {
        database.close();
      }
    }
    this.meter.merge(this.#early, now);
    this.#early = [];
  }

  /** Counts in common with other machines from now on. `heard`: what they let through, and is in the meter already. */
  share(common: CommonQuotas, heard: (steps: readonly QuotaStep[]) => void): void {
    const { meter } = this;
    if (meter === undefined || meter.periods.length === 0) return;
    this.#exchange = new QuotaExchange(meter, {
      ...this.#deps,
      common,
      heard: (steps) => {
        this.merge(steps, false);
        heard(steps);
      },
    });
    this.#exchange.start();
  }

  /** What a worker let through. */
  used(steps: readonly QuotaStep[]): void {
    this.merge(steps, false);
    this.#exchange?.add(steps);
  }

  /** What was let through before the start; returns what of it was not known. */
  usedBefore(steps: readonly QuotaStep[]): readonly QuotaStep[] {
    const missing = this.#exchange?.missing(steps) ?? steps;
    this.merge(missing, false);
    return missing;
  }

  /** Says in common what was let through until now. */
  async close(): Promise<void> {
    await this.#exchange?.close();
  }

  /** What was let through elsewhere; with `reset`, all that was. */
  merge(steps: readonly QuotaStep[], reset: boolean): void {
    if (this.meter === undefined) {
      if (reset) this.#early = [];
      this.#early.push(...steps);
      return;
    }
    if (reset) this.meter.clear();
    this.meter.merge(steps, this.#deps.clock.now());
  }

  /** The log, whose completions say how many bytes went by. */
  watching(audit: AuditLog): AuditLog {
    const { meter } = this;
    if (meter?.countsBytes !== true) return audit;
    const { clock } = this.#deps;
    return {
      writable: () => audit.writable(),
      decision: (record) => audit.decision(record),
      durable: (atLeast) => audit.durable(atLeast),
      completion(record: CompletionRecord): void {
        audit.completion(record);
        const bytes = record.requestBytes + record.responseBytes;
        meter.ended(record.decisionId, bytes, clock.now());
      },
    };
  }
}
