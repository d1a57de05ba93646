/**
 * The authenticators of browser sessions that one route names. Each has cookies of its own name, so one
 * request may carry several sessions. Every one of them is verified, and what each of them is worth is told: a bad
 * one must not hide behind one that is good. Which of the good ones is the principal's is the route's to say.
 */
import type { SessionAnswer, SessionVerifier } from "../model/verifiers.ts";

type Found = SessionAnswer | undefined;

export function createSessionSet(ways: readonly SessionVerifier[]): SessionVerifier {
  const [only] = ways;
  if (ways.length === 1 && only !== undefined) return only;
  return {
    verify(request, nowMs, stream) {
      const from = (start: number, before: Found): Found | Promise<Found> => {
        let all = before;
        for (let index = start; index < ways.length; index++) {
          const earlier = all;
          const found = (ways[index] as SessionVerifier).verify(request, nowMs, stream);
          if (found instanceof Promise) {
            return found.then((answer) => from(index + 1, both(earlier, answer)));
          }
          all = both(earlier, found);
        }
        return all;
      };
      return from(0, undefined);
    },
  };
}

/** Lines of all go out, whatever becomes of the others. */
function both(one: Found, other: Found): Found {
  if (one === undefined) return other;
  if (other === undefined) return one;
  return {
    result: one.result,
    others: [...(one.others ?? []), other.result, ...(other.others ?? [])],
    setCookies: [...one.setCookies, ...other.setCookies],
  };
}
