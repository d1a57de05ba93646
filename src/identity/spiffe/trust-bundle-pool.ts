/**
 * Trust bundles that outlive one configuration, and that several authenticators share. A reload while an
 * endpoint is down keeps the bundle that serves, and the sequence number that it must not go below.
 */
import type { TrustBundleSource } from "./trust-bundle-source.ts";

export interface TrustBundlePool {
  /** The source under this id, or a new one. Each is to be closed once by each who opened it. */
  open(id: string, create: () => TrustBundleSource): TrustBundleSource;
}

interface Shared {
  readonly source: TrustBundleSource;
  users: number;
}

export function createTrustBundlePool(): TrustBundlePool {
  const sources = new Map<string, Shared>();
  return {
    open(id, create) {
      const shared = sources.get(id) ?? { source: create(), users: 0 };
      sources.set(id, shared);
      shared.users += 1;
      const { source } = shared;
      let open = true;
      const heard = new Set<() => void>();
      return {
        trustDomain: source.trustDomain,
        get current() {
          return open ? source.current : undefined;
        },
        start: () => source.start(),
        onChange(run) {
          const callOff = source.onChange(run);
          heard.add(callOff);
          return () => {
            heard.delete(callOff);
            callOff();
          };
        },
        figures: () => source.figures(),
        close() {
          if (!open) return;
          open = false;
          for (const callOff of heard) callOff();
          shared.users -= 1;
          if (shared.users > 0) return;
          sources.delete(id);
          source.close();
        },
      };
    },
  };
}
