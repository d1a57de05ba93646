/**
 * When things of one kind were last used, in a collection of its own, so that being used is no change of
 * the thing. Kept roughly, since it is there to find what nobody would miss: what comes is gathered for a
 * moment and written in one commit; of one thing only every five minutes.
 */
import type { Clock, Log, Timers } from "../model/ports.ts";
import type { Collection, Store, StoredDocument } from "../model/store.ts";

const LIMITS = {
  /** How exact it is. */
  precisionMs: 5 * 60_000,
  /** What a crash of the authority can lose. */
  delayMs: 5000,
  /** Things that wait, and that are remembered as written: those of further ones are told again later. */
  waiting: 100_000,
  /** Writes of one commit; the store takes 1 000. */
  batch: 500,
  /** As long as an API key can last, and be remembered. */
  keptMs: 1130 * 86_400_000,
  page: 1000,
} as const;

export interface Use {
  readonly id: string;
  readonly atMs: number;
}

export interface Uses {
  /** What is no use of a thing that there is, is passed over. */
  note(uses: readonly Use[]): void;
  /** Rejects as the store does. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface UsesDeps {
  readonly store: Pick<Store, "commit">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Whether there is a thing of this id: a proxy must not fill the store. */
  readonly has: (id: string) => boolean;
}

/** `things`: what they are called, for the log. */
export function createUses(
  kind: { readonly collection: Collection; readonly things: string },
  { store, clock, timers, log, has }: UsesDeps,
): Uses {
  const { collection, things } = kind;
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
        batch.map(([id, atMs]) => {
          return { collection, id, body: { atMs }, expiresMs: atMs + LIMITS.keptMs };
        }),
      );
      if (written.size + batch.length > LIMITS.waiting) written = new Map();
      for (const [id, atMs] of batch) written.set(id, atMs);
    }
  }

  function later(): void {
    callOff ??= timers.after(LIMITS.delayMs, () => {
      // They are used again, and written then.
      flush().catch((error: unknown) => {
        log.warn(`when ${things} were last used could not be written`, {
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
        if (!isNews || !has(id)) continue;
        if (waiting.size < LIMITS.waiting || waiting.has(id)) waiting.set(id, timeMs);
      }
      if (waiting.size > 0) later();
    },
    flush,
    close: () => flush(),
  };
}

/** Those from after `after` up to `last`: of things that there are, and of removed ones between them. */
export async function usesUpTo(
  store: Pick<Store, "list">,
  collection: Collection,
  { after, last }: { readonly after: string | undefined; readonly last: string },
): Promise<ReadonlyMap<string, StoredDocument>> {
  const uses = new Map<string, StoredDocument>();
  for (let from = after; ;) {
    // oxlint-disable-next-line no-await-in-loop -- each begins where the last one ended
    const page = await store.list(collection, { after: from, limit: LIMITS.page });
    for (const one of page) if (one.id <= last) uses.set(one.id, one);
    from = page.at(-1)?.id;
    if (from === undefined || from >= last || page.length < LIMITS.page) return uses;
  }
}

/** When it was last used; undefined: not in living memory. */
export function usedMsOf(use: StoredDocument | undefined): number | undefined {
  const at = use?.body?.["atMs"];
  return typeof at === "number" ? at : undefined;
}
