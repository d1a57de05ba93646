/**
 * A caller is refused at many different doors: somebody looks for one that is open. Counts routes, and paths
 * where there is no route, of one caller; the principal, else the address. The same door counts once.
 */
import type { Rule } from "./rule.ts";
import type { Places } from "./tracked.ts";

export interface RouteProbingOptions {
  /** Different routes and paths. */
  readonly count: number;
  /** Milliseconds. */
  readonly window: number;
}

const LIMITS = {
  /** Ids of decisions: with the one that passes the threshold as many as an event takes. */
  ids: 7,
} as const;

interface State {
  startMs: number;
  /** Hashes of 32 bits, never more than the threshold: 200 bytes a caller in place of thousands. */
  doors: number[];
  ids: string[];
}

export function createRouteProbing({ count, window }: RouteProbingOptions, places: Places): Rule {
  const place = places.place<State>();
  return {
    sign: "route-probing",
    look(seen, raise) {
      const { line, timeMs } = seen;
      if (!seen.refused) return;
      const door = hashOf(line.route ?? `${line.host ?? ""} ${line.path ?? ""}`);
      const caller = seen.principal ?? seen.addressCaller();
      let state = place.get(caller);
      if (state === undefined || Math.abs(timeMs - state.startMs) >= window) {
        state = { startMs: timeMs, doors: [], ids: [] };
        place.set(caller, state);
      }
      if (state.doors.includes(door)) return;
      state.doors.push(door);
      if (state.ids.length < LIMITS.ids) state.ids.push(line.decisionId);
      if (state.doors.length < count) return;
      const figures = { doors: state.doors.length, windowSeconds: window / 1000 };
      raise("route-probing", seen, {
        key: caller.text,
        detail: `refused on ${figures.doors} different routes or paths within ${figures.windowSeconds} s`,
        decisions: state.ids,
        figures,
      });
      state.doors = [];
      state.ids = [];
      state.startMs = timeMs;
    },
  };
}

/** FNV-1a. Two doors of one caller that collide count as one, which costs one try more. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash;
}
