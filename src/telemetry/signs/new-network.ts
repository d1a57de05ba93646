/**
 * A principal comes from a network that it never used, after a time in which its networks were learned. What
 * it uses is remembered across restarts.
 */
import type { KnownNetworks } from "./signs-state.ts";
import type { Rule } from "./rule.ts";
import type { Places, Tracked } from "./tracked.ts";

export interface NewNetworkOptions {
  /** Milliseconds from the first time that a principal is seen. */
  readonly learn: number;
  /** Milliseconds after which a network that was not used is as new. */
  readonly forget: number;
}

const LIMITS = {
  /** Networks of one principal; beyond it, the one that was not used for longest is forgotten. */
  networks: 16,
} as const;

const DAY = 86_400_000;

interface State {
  readonly firstMs: number;
  /** Days since the epoch on which each network was last used. */
  readonly days: Map<string, number>;
  /** The last of them, which is asked for most. */
  network: string;
  day: number;
}

export interface NewNetworkRule extends Rule {
  /** From a file, before the first decision. */
  restore(known: KnownNetworks, caller: (principal: string) => Tracked): void;
  /** For a file. */
  keep(callers: Iterable<Tracked>): KnownNetworks;
  /** Whether there is something that the file does not have. */
  changed: boolean;
}

export function createNewNetwork(
  { learn, forget }: NewNetworkOptions,
  places: Places,
): NewNetworkRule {
  const place = places.place<State>();
  const forgetDays = Math.max(1, Math.ceil(forget / DAY));

  const rule: NewNetworkRule = {
    sign: "new-network",
    changed: false,
    look(seen, raise) {
      const { principal, timeMs } = seen;
      if (principal === undefined) return;
      let state = place.get(principal);
      if (state === undefined) {
        state = { firstMs: timeMs, days: new Map(), network: "", day: 0 };
        place.set(principal, state);
      }
      const network = seen.network();
      const day = Math.floor(timeMs / DAY);
      if (state.network === network && state.day === day) return;
      state.network = network;
      state.day = day;
      const last = state.days.get(network);
      if (last !== undefined && last >= day) return;
      const isNew = last === undefined || day - last > forgetDays;
      const others = state.days.size;
      use(state.days, network, day);
      rule.changed = true;
      if (!isNew || timeMs - state.firstMs < learn) return;
      raise("new-network", seen, {
        key: `${principal.text} ${network}`,
        detail: `the principal came from ${network}, which it had not used before`,
        figures: { network, networks: others },
      });
    },
    restore(known, caller) {
      for (const [principal, { firstMs, days }] of Object.entries(known)) {
        const state = { firstMs, days: new Map(Object.entries(days)), network: "", day: 0 };
        place.set(caller(principal), state);
      }
    },
    keep(callers) {
      const known: Record<string, KnownNetworks[string]> = {};
      for (const caller of callers) {
        const state = place.get(caller);
        if (state === undefined) continue;
        known[caller.text] = { firstMs: state.firstMs, days: Object.fromEntries(state.days) };
      }
      return known;
    },
  };
  return rule;
}

function use(days: Map<string, number>, network: string, day: number): void {
  if (days.size >= LIMITS.networks && !days.has(network)) {
    let oldest = network;
    let oldestDay = Infinity;
    for (const [each, last] of days) {
      if (last >= oldestDay) continue;
      oldest = each;
      oldestDay = last;
    }
    days.delete(oldest);
  }
  days.set(network, day);
}
