/**
 * The authority's published keys, for those in this process who verify what it signed. Filled by what
 * comes over the feed; empty where there is no authority.
 *
 * Leaves out what machines publish: they sign assertions in its name, and nothing else.
 */
import type { KeyUse, PublishedKey, PublishedKeys } from "../model/signing.ts";

export interface KeyDirectory extends PublishedKeys {
  /** All that are published now. Whether one is gone that was there before. */
  apply(keys: readonly PublishedKey[]): boolean;
}

export function createKeyDirectory(): KeyDirectory {
  let keys: readonly PublishedKey[] = [];
  let version = 0;
  return {
    get version() {
      return version;
    },
    of: (use: KeyUse) => keys.filter((key) => key.use === use),
    apply(published) {
      const next = published.filter(({ machine }) => machine === undefined);
      const there = new Set(next.map(nameOf));
      const gone = keys.some((key) => !there.has(nameOf(key)));
      keys = next;
      version += 1;
      return gone;
    },
  };
}

function nameOf({ use, kid }: PublishedKey): string {
  return `${use} ${kid}`;
}
