/**
 * The authenticators of browser sessions that one route names. Each has cookies of its own name, so one
 * request may carry several sessions; the first in the route's order counts.
 */
import type { SessionAnswer, SessionVerifier } from "../model/verifiers.ts";

export function createSessionSet(ways: readonly SessionVerifier[]): SessionVerifier {
  const [only] = ways;
  if (ways.length === 1 && only !== undefined) return only;
  type Found = SessionAnswer | undefined;
  return {
    verify(request, nowMs, stream) {
      const from = (start: number): Found | Promise<Found> => {
        for (let index = start; index < ways.length; index++) {
          const found = (ways[index] as SessionVerifier).verify(request, nowMs, stream);
          if (found instanceof Promise) return found.then((answer) => answer ?? from(index + 1));
          if (found !== undefined) return found;
        }
        return undefined;
      };
      return from(0);
    },
  };
}
