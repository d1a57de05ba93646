/**
 * One credential is used from two networks within a short time: it may have been copied. A credential is
 * known by its hash. IPv4 and IPv6 are looked at apart, since one machine uses both at once.
 */
import { Generations } from "./generations.ts";
import type { Rule, Seen } from "./rule.ts";
import type { Places } from "./tracked.ts";

export interface TwoPlacesOptions {
  /** Milliseconds. */
  readonly window: number;
  /** Kinds of credentials that one caller alone holds. */
  readonly credentials: readonly string[];
}

const LIMITS = {
  /** Credentials of which the last network is remembered, twice as many at most. */
  credentials: 20_000,
} as const;

interface State {
  readonly hash: string;
  /** By its family. */
  readonly known: object;
  network: string;
  timeMs: number;
  decisionId: string;
}

export function createTwoPlaces({ window, credentials }: TwoPlacesOptions, places: Places): Rule {
  const kinds = new Set(credentials);
  const ipv4 = new Generations<string, State>(LIMITS.credentials);
  /** What a principal used last: a look at it saves one into a large map. */
  const place = places.place<State>();
  const ipv6 = new Generations<string, State>(LIMITS.credentials);
  return {
    sign: "two-places",
    look(seen, raise) {
      const hash = usedOf(seen, kinds);
      if (hash === undefined) return;
      const { timeMs, address, line, principal } = seen;
      const network = seen.network();
      const last = principal && place.get(principal);
      if (last?.network === network && last.hash === hash) {
        last.timeMs = timeMs;
        last.decisionId = line.decisionId;
        return;
      }
      const known = address.includes(":") ? ipv6 : ipv4;
      const own = last?.hash === hash && last.known === known ? last : known.get(hash);
      const state = own ?? { hash, known, network, timeMs, decisionId: line.decisionId };
      known.set(hash, state);
      if (principal !== undefined) place.set(principal, state);
      if (state.network !== network && Math.abs(timeMs - state.timeMs) < window) {
        raise("two-places", seen, {
          key: hash,
          detail: `one credential was used from ${state.network} and ${network} within ${window / 1000} s`,
          decisions: [state.decisionId],
          figures: { credential: hash, first: state.network, second: network },
        });
      }
      state.network = network;
      state.timeMs = timeMs;
      state.decisionId = line.decisionId;
    },
  };
}

/** Hash of the credential that the caller got in with. */
function usedOf({ line }: Seen, kinds: ReadonlySet<string>): string | undefined {
  if (line.credentials === undefined) return undefined;
  for (const { hash, kind, outcome } of line.credentials) {
    if (outcome === "used" && kinds.has(kind)) return hash;
  }
  return undefined;
}
