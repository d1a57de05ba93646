/**
 * A principal asks faster than it can: a person's session in a script, or a workload's key in another's
 * hands. Counts all decisions about it, people and machines each by their own threshold.
 */
import type { Rule } from "./rule.ts";
import type { Places } from "./tracked.ts";
import { WindowCount } from "./window.ts";

export interface ImpossibleRateOptions {
  /** Requests of one person. */
  readonly people: number;
  /** Requests of one workload or device. */
  readonly machines: number;
  /** Milliseconds. */
  readonly window: number;
}

export function createImpossibleRate(
  { people, machines, window }: ImpossibleRateOptions,
  places: Places,
): Rule {
  const place = places.place<WindowCount>();
  const seconds = window / 1000;
  return {
    sign: "impossible-rate",
    look(seen, raise) {
      const { principal, line } = seen;
      if (principal === undefined) return;
      let count = place.get(principal);
      if (count === undefined) {
        count = new WindowCount();
        place.set(principal, count);
      }
      const requests = count.add(seen.timeMs, window);
      if (requests < (line.principal?.kind === "user" ? people : machines)) return;
      count.clear();
      const figures = { requests: Math.floor(requests), windowSeconds: seconds };
      raise("impossible-rate", seen, {
        key: principal.text,
        detail: `the principal asked ${figures.requests} times within ${seconds} s`,
        figures,
      });
    },
  };
}
