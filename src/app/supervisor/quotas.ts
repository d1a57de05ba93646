/**
 * Quotas that several processes count as one: a worker says four times a second what it let through, and
 * its supervisor adds that up and tells the others. So a principal can go beyond its quota by what the
 * other workers let through meanwhile, and a worker that is killed takes so much with it; the book of
 * usage, which is made of the log, has all of it.
 */
import type { QuotaStep } from "../../model/quota-steps.ts";
import type { Quotas } from "../quotas.ts";
import type { Slot } from "./slot.ts";

export const LIMITS = {
  /** Milliseconds between two reports of a worker. */
  reportMs: 250,
  /** Steps in one message: some 100 bytes each. */
  page: 5000,
} as const;

/** A worker that begins, or has found us again, hears all that is known. */
export function tellQuotas(slot: Slot, { meter }: Quotas, nowMs: number): void {
  if (meter === undefined) return;
  let reset = true;
  for (const steps of pages(meter.dump(nowMs))) {
    slot.send({ type: "quotas", steps, reset });
    reset = false;
  }
}

/** Tells workers what was let through elsewhere, all but the one where it was. */
export function spreadQuotas(
  steps: readonly QuotaStep[],
  { slots, from }: { readonly slots: readonly Slot[]; readonly from?: Slot },
): void {
  for (const slot of slots) {
    if (slot !== from) slot.send({ type: "quotas", steps, reset: false });
  }
}

/** What is to be said, in messages of some size. */
export function* pages(steps: Iterable<QuotaStep>): Generator<QuotaStep[]> {
  let page: QuotaStep[] = [];
  for (const step of steps) {
    page.push(step);
    if (page.length < LIMITS.page) continue;
    yield page;
    page = [];
  }
  // One at least: it says that all before is forgotten.
  yield page;
}
