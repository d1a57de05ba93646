/**
 * Somebody is refused again and again: a guessing of credentials or ids, or a client gone wrong. Counts what
 * was refused for something that lies with the caller; a principal that is known, else the address.
 */
import { Burst } from "./burst.ts";
import type { Raise, Rule, Seen } from "./rule.ts";
import type { Places, Tracked } from "./tracked.ts";

export interface RefusalBurstOptions {
  /** Refusals of one principal. */
  readonly principal: number;
  /** Refusals from one address of callers that are not known. */
  readonly address: number;
  /** Milliseconds. */
  readonly window: number;
}

export function createRefusalBurst(options: RefusalBurstOptions, places: Places): Rule {
  const place = places.place<Burst>();
  const windowSeconds = options.window / 1000;

  function count(caller: Tracked, seen: Seen, raise: Raise): void {
    let burst = place.get(caller);
    if (burst === undefined) {
      burst = new Burst();
      place.set(caller, burst);
    }
    const { decisionId, reason } = seen.line;
    const isPrincipal = caller === seen.principal;
    const refusals = Math.floor(burst.add(seen.timeMs, options.window, decisionId));
    if (refusals < (isPrincipal ? options.principal : options.address)) return;
    const who = isPrincipal ? "the principal" : "the address";
    raise("refusal-burst", seen, {
      key: caller.text,
      detail: `${who} was refused ${refusals} times within ${windowSeconds} s, last: ${reason}`,
      decisions: burst.end(),
      figures: { refusals, windowSeconds },
    });
  }

  return {
    sign: "refusal-burst",
    look(seen, raise) {
      if (seen.refused) count(seen.principal ?? seen.addressCaller(), seen, raise);
    },
  };
}
