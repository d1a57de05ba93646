/** Which records count, for whom, and as what. Pure: the same log says the same, whoever reads it. */
import { ADMIN_ROUTE } from "../../model/admin-operations.ts";
import type { DecisionLine, PrincipalLine } from "../../model/record-feed.ts";

/** Whose requests are counted together within an hour. */
export interface UsageKey {
  readonly principal: string;
  /** Empty: none. */
  readonly plan: string;
  readonly service: string;
  readonly route: string;
  /** The operation of the service's description, or the method. */
  readonly operation: string;
}

/** Who was denied before anybody knew who it was. No authenticator can make this name: ids of others have a `/`. */
export const UNIDENTIFIED = "unidentified";

/** All for whom there was no room. */
export const OTHERS = "others";

/** Cost units are whole numbers of thousandths, so that sums are exact. */
export const COST_SCALE = 1000;

/** Undefined: it counts for nobody. */
export function usageKey(line: DecisionLine): UsageKey | undefined {
  const { route = "", service = "", action, method = "", principal, decision } = line;
  // An answer to somebody's question, and a second look at a stream, are no requests of the principal.
  if (line.asked !== undefined || line.stream !== undefined) return undefined;
  if (route === ADMIN_ROUTE) return undefined;
  // Logins, keys, and what the proxy itself answers.
  if (decision === "permit" && (line.reason !== "permitted" || route === "")) return undefined;
  return {
    principal: principal === undefined ? UNIDENTIFIED : principalName(principal),
    plan: line.usage?.plan ?? "",
    service,
    route,
    operation: action ?? method,
  };
}

/** As `principalId` has it (model/principal.ts). */
export function principalName({ kind, authenticator, subject }: PrincipalLine): string {
  return kind === "anonymous" ? "anonymous" : `${authenticator}/${subject}`;
}

export function costOf(line: DecisionLine): number {
  return Math.round((line.usage?.cost ?? 1) * COST_SCALE);
}
