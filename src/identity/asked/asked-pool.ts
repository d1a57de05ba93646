/**
 * Providers' answers that outlive one configuration: an authenticator that is built again with the same
 * options goes on with what was answered. A reload asks nobody anew, and while a provider is down, what
 * it vouched for goes on serving.
 */
import type { AskedFacts } from "./asked-facts.ts";

export interface AskedPool {
  /** Those under this id, or new ones. Each is to be closed once by each who opened it. */
  open(id: string, create: () => AskedFacts): AskedFacts;
}

interface Shared {
  readonly asked: AskedFacts;
  users: number;
}

export function createAskedPool(): AskedPool {
  const all = new Map<string, Shared>();
  return {
    open(id, create) {
      const shared = all.get(id) ?? { asked: create(), users: 0 };
      all.set(id, shared);
      shared.users += 1;
      let open = true;
      return {
        about: (credentialHash, ask) => shared.asked.about(credentialHash, ask),
        close() {
          if (!open) return;
          open = false;
          shared.users -= 1;
          if (shared.users > 0) return;
          all.delete(id);
          shared.asked.close();
        },
      };
    },
  };
}
