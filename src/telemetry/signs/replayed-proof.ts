/**
 * What is good for one use was used twice: a DPoP proof, a client's assertion, a logout token. Somebody on
 * the way has copied a request, or a client sends again what it must make anew.
 */
import type { Reason } from "../../model/reason.ts";
import { Burst } from "./burst.ts";
import type { Rule } from "./rule.ts";
import type { Places } from "./tracked.ts";

export interface ReplayedProofOptions {
  /** Replays of one principal, or from one address. */
  readonly count: number;
  /** Milliseconds. */
  readonly window: number;
}

const REPLAYED: ReadonlySet<Reason> = new Set<Reason>([
  "replayed-proof",
  "replayed-assertion",
  "replayed-logout-token",
]);

export function createReplayedProof({ count, window }: ReplayedProofOptions, places: Places): Rule {
  const place = places.place<Burst>();
  return {
    sign: "replayed-proof",
    look(seen, raise) {
      const { line } = seen;
      if (!seen.refused || !REPLAYED.has(line.reason)) return;
      const caller = seen.principal ?? seen.addressCaller();
      const burst = place.get(caller) ?? new Burst();
      place.set(caller, burst);
      const replays = Math.floor(burst.add(seen.timeMs, window, line.decisionId));
      if (replays < count) return;
      raise("replayed-proof", seen, {
        key: caller.text,
        detail: `what is good for one use was used again (${line.reason})`,
        decisions: burst.end(),
        figures: { replays, windowSeconds: window / 1000 },
      });
    },
  };
}
