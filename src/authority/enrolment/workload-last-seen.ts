/**
 * When machines were last there. Being seen costs a look into a map; what is new is written a minute
 * later, all of it in one commit, and of one machine only every five minutes: ten thousand that follow
 * the feed are some thirty writes a second less.
 */
import type { Clock, Log, Timers } from "../../model/ports.ts";
import type { Store } from "../../model/store.ts";

const LIMITS = {
  /** How exact it is. */
  precisionMs: 5 * 60_000,
  /** What a crash can lose. */
  delayMs: 60_000,
  /** Writes of one commit; the store takes 1 000. */
  batch: 500,
  /** So that what is written of a machine that was removed in that very moment does not stay for ever. */
  keptMs: 2 * 365 * 86_400_000,
} as const;

export interface LastSeen {
  seen(name: string): void;
  flush(): Promise<void>;
  close(): Promise<void>;
}

export function createLastSeen(deps: {
  readonly store: Store;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}): LastSeen {
  const { store, clock, timers, log } = deps;
  /** Bounded by the number of machines: only those are seen that the register admitted. */
  const written = new Map<string, number>();
  let waiting = new Map<string, number>();
  let callOff: (() => void) | undefined;
  let closed = false;

  async function flush(): Promise<void> {
    callOff?.();
    callOff = undefined;
    const batch = [...waiting];
    waiting = new Map();
    for (let at = 0; at < batch.length; at += LIMITS.batch) {
      const slice = batch.slice(at, at + LIMITS.batch);
      await store.commit(
        slice.map(([id, atMs]) => ({
          collection: "last-seen" as const,
          id,
          body: { atMs },
          expiresMs: atMs + LIMITS.keptMs,
        })),
      );
    }
  }

  function later(): void {
    callOff ??= timers.after(LIMITS.delayMs, () => {
      flush().catch((error: unknown) => {
        // They are seen again, and written then.
        written.clear();
        log.warn("workloads: when they were last there could not be written", {
          error: error instanceof Error ? error : undefined,
        });
      });
    });
  }

  return {
    seen(name) {
      const nowMs = clock.now();
      const before = written.get(name);
      if (closed || (before !== undefined && nowMs - before < LIMITS.precisionMs)) return;
      written.set(name, nowMs);
      waiting.set(name, nowMs);
      later();
    },
    flush,
    async close() {
      closed = true;
      await flush();
    },
  };
}
