/**
 * Key sets that outlive one configuration: an authenticator that is built again with the same key
 * options gets the set that is already there. A reload while the provider is down keeps the keys
 * that serve, and what they verified stays verified.
 */
import type { KeySet } from "./key-set.ts";

export interface KeySetPool {
  /** The set under this id, or a new one. Each is to be closed once by each who opened it. */
  open(id: string, create: () => KeySet): KeySet;
}

interface Shared {
  readonly keys: KeySet;
  users: number;
}

export function createKeySetPool(): KeySetPool {
  const sets = new Map<string, Shared>();
  return {
    open(id, create) {
      const shared = sets.get(id) ?? { keys: create(), users: 0 };
      sets.set(id, shared);
      shared.users += 1;
      let open = true;
      const close = (): void => {
        if (!open) return;
        open = false;
        shared.users -= 1;
        if (shared.users > 0) return;
        sets.delete(id);
        shared.keys.close();
      };
      const { keys } = shared;
      return {
        start: () => keys.start(),
        find: (kid, algorithm) => (open ? keys.find(kid, algorithm) : "unavailable"),
        findAgain: (kid, algorithm) => (open ? keys.findAgain(kid, algorithm) : undefined),
        has: (kid) => keys.has(kid),
        figures: () => keys.figures(),
        close,
      };
    },
  };
}
