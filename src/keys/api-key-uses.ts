/**
 * When API keys were last used, as processes that serve report it once a minute: kept roughly, since it
 * is there to find keys that nobody would miss. What comes is gathered for a moment and written in one
 * commit; of one key only every five minutes.
 */
import { API_KEY_ID, type ApiKeyUse } from "../model/api-keys.ts";
import type { Clock, Log, Timers } from "../model/ports.ts";
import type { Store } from "../model/store.ts";

const LIMITS = {
  /** How exact it is. */
  precisionMs: 5 * 60_000,
  /** What a crash of the authority can lose. */
  delayMs: 5000,
  /** Keys that wait, and that are remembered as written: those of further ones are told again later. */
  keys: 100_000,
  /** Writes of one commit; the store takes 1 000. */
  batch: 500,
  /** As long as a key can last, and be remembered. */
  keptMs: 1130 * 86_400_000,
} as const;

export interface ApiKeyUses {
  /** What is no use of a key that there is, is passed over. */
  note(uses: readonly ApiKeyUse[]): void;
  /** Rejects as the store does. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface ApiKeyUsesDeps {
  readonly store: Pick<Store, "commit">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Whether there is a key of this id: a proxy must not fill the store. */
  readonly has: (id: string) => boolean;
}

export function createApiKeyUses({ store, clock, timers, log, has }: ApiKeyUsesDeps): ApiKeyUses {
  let written = new Map<string, number>();
  let waiting = new Map<string, number>();
  let callOff: (() => void) | undefined;

  async function flush(): Promise<void> {
    callOff?.();
    callOff = undefined;
    const all = [...waiting];
    waiting = new Map();
    for (let at = 0; at < all.length; at += LIMITS.batch) {
      const batch = all.slice(at, at + LIMITS.batch);
      // oxlint-disable-next-line no-await-in-loop -- others write between two of them
      await store.commit(
        batch.map(([id, atMs]) => ({
          collection: "api-key-uses" as const,
          id,
          body: { atMs },
          expiresMs: atMs + LIMITS.keptMs,
        })),
      );
      if (written.size + batch.length > LIMITS.keys) written = new Map();
      for (const [id, atMs] of batch) written.set(id, atMs);
    }
  }

  function later(): void {
    callOff ??= timers.after(LIMITS.delayMs, () => {
      // They are used again, and written then.
      flush().catch((error: unknown) => {
        log.warn("when API keys were last used could not be written", {
          error: error instanceof Error ? error : undefined,
        });
      });
    });
  }

  return {
    note(uses) {
      const nowMs = clock.now();
      for (const { id, atMs } of uses) {
        const timeMs = Math.min(atMs, nowMs);
        const before = Math.max(written.get(id) ?? 0, waiting.get(id) ?? 0);
        const isNews =
          timeMs - before >= LIMITS.precisionMs || (!written.has(id) && timeMs > before);
        if (!isNews || !API_KEY_ID.test(id) || !has(id)) continue;
        if (waiting.size < LIMITS.keys || waiting.has(id)) waiting.set(id, timeMs);
      }
      if (waiting.size > 0) later();
    },
    flush,
    close: () => flush(),
  };
}
