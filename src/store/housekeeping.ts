/**
 * Takes away, now and then, what has expired, and forgets removals that every follower has long read.
 * Each process that keeps the state does so; two at once do no harm.
 */
import { SallyportError } from "../model/errors.ts";
import type { Log, Timers } from "../model/ports.ts";
import type { Store } from "../model/store.ts";

const LIMITS = {
  /** Milliseconds between two purges, on average. What has expired counts as absent before. */
  every: 600_000,
  /** Milliseconds that a removal is remembered: who was away for less catches up, others read anew. */
  keepRemovals: 86_400_000,
} as const;

/** Returns the function that ends it. */
export function keepHouse(
  store: Pick<Store, "purge">,
  { timers, log }: { readonly timers: Timers; readonly log: Log },
): () => void {
  let ended = false;
  let callOff = later();

  /** Jitter, so that many processes do not come at once. */
  function later(): () => void {
    return timers.after(LIMITS.every * (0.5 + Math.random()), () => void purge());
  }

  async function purge(): Promise<void> {
    try {
      const removed = await store.purge(LIMITS.keepRemovals);
      if (removed > 0) log.info("store: what had expired was removed", { removed });
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      log.debug("store: the purge has to wait", { error });
    }
    if (!ended) callOff = later();
  }

  return () => {
    ended = true;
    callOff();
  };
}
