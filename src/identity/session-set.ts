/**
 * The authenticators of browser sessions that one route names. Each has cookies of its own name, so one
 * request may carry several sessions; the first in the route's order counts. For a browser that goes to a
 * page, one that has ended is as good as none, so the next is asked.
 */
import { isFailure } from "../model/facts.ts";
import type { SessionAnswer, SessionVerifier } from "../model/verifiers.ts";
import { isNavigation } from "../wire/navigation.ts";

type Found = SessionAnswer | undefined;

export function createSessionSet(ways: readonly SessionVerifier[]): SessionVerifier {
  const [only] = ways;
  if (ways.length === 1 && only !== undefined) return only;
  return {
    verify(request, nowMs, stream) {
      const from = (start: number, ended: Found): Found | Promise<Found> => {
        for (let index = start; index < ways.length; index++) {
          const found = (ways[index] as SessionVerifier).verify(request, nowMs, stream);
          if (found instanceof Promise) return found.then((answer) => judge(answer, index, ended));
          if (found !== undefined) return judge(found, index, ended);
        }
        return ended;
      };
      const judge = (found: Found, index: number, ended: Found): Found | Promise<Found> => {
        if (found === undefined) return from(index + 1, ended);
        const { result, setCookies } = found;
        // What takes the ended ones away goes out whatever the next one is.
        const merged =
          ended === undefined
            ? found
            : { result, setCookies: [...ended.setCookies, ...setCookies] };
        const over = isFailure(result) && result.failure === "session-expired";
        return over && isNavigation(request.head) ? from(index + 1, merged) : merged;
      };
      return from(0, undefined);
    },
  };
}
