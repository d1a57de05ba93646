/** One request to a witness, and what its failing means. */
import { SallyportError } from "../../model/errors.ts";
import type { Exchanged, Outgoing } from "../../platform/bounded-exchange.ts";
import { WITNESS_LIMITS, type WitnessAnswer, type WitnessDeps } from "./witness.ts";

/** What was answered, or that nothing usable was. */
export async function ask(
  exchange: WitnessDeps["exchange"],
  outgoing: Omit<Outgoing, "shown">,
  timeoutMs: number,
): Promise<Exchanged | Extract<WitnessAnswer, { detail: string }>> {
  try {
    return await exchange(
      { ...outgoing, shown: outgoing.url.origin },
      { timeoutMs, maxBytes: WITNESS_LIMITS.answer },
    );
  } catch (error) {
    if (error instanceof SallyportError) return { outcome: "unreachable", detail: error.message };
    // Another error may hold what was sent.
    return { outcome: "unreachable", detail: `${outgoing.url.origin}: could not be asked` };
  }
}

/** Of a status that is no success: whether to say it again later makes sense by itself. */
export function failed(
  place: string,
  status: number,
  why?: string,
): Extract<WitnessAnswer, { detail: string }> {
  const again = status >= 500 || status === 408 || status === 425 || status === 429;
  return {
    outcome: again ? "unreachable" : "refused",
    detail: `${place}: answered ${status}${why === undefined ? "" : `, ${why}`}`,
  };
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
