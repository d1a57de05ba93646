/** Step: asks the quota of the principal's plan and the limits of the route, once policy has permitted. */
import type { Account, QuotaMeter } from "../limits/usage/quota-meter.ts";
import { type QuotaVerdict, withQuota } from "../limits/usage/quota-verdict.ts";
import type { LimitedCaller } from "../limits/limit-key.ts";
import type { Admission, RouteLimits } from "../limits/route-limits.ts";
import type { Deciding } from "./decision.ts";
import type { GateDeps, StepResult } from "./step.ts";

export function limit(deciding: Deciding, deps: GateDeps): StepResult | Promise<StepResult> {
  const limits = deciding.route?.limits;
  const cost = deciding.route?.cost;
  const meter = cost === undefined ? undefined : deps.quotas;
  if (limits === undefined && meter === undefined) return undefined;
  const { principal, request } = deciding;
  if (principal === undefined || request === undefined) {
    throw new TypeError("limit comes after authorize");
  }
  const caller = { principal, address: request.clientAddress };
  if (meter === undefined) return rates(deciding, caller, { limits, deps });
  const account = meter.account(principal, deciding.timeMs);
  deciding.usage = account.plan.usage(cost ?? 1);
  const charge = { meter, account, cost: cost ?? 1 };
  const verdict = meter.take(account, charge.cost, deciding.timeMs);
  if (verdict === undefined) return rates(deciding, caller, { limits, deps });
  return (
    quota(deciding, verdict, charge) ?? charged(deciding, caller, { limits, deps, charge, verdict })
  );
}

interface Charge {
  readonly meter: QuotaMeter;
  readonly account: Account;
  readonly cost: number;
}

interface Limiting {
  readonly limits: RouteLimits | undefined;
  readonly deps: GateDeps;
}

function rates(
  deciding: Deciding,
  caller: LimitedCaller,
  { limits, deps }: Limiting,
): StepResult | Promise<StepResult> {
  const admission = limits?.admit(caller, deps.clock.monotonic());
  if (admission === undefined) return undefined;
  return admission instanceof Promise
    ? admission.then((settled) => admitted(deciding, settled))
    : admitted(deciding, admission);
}

/** First, so that who has nothing left takes no place and no part of a rate. */
function quota(deciding: Deciding, verdict: QuotaVerdict, { account }: Charge): StepResult {
  if (verdict.refused === undefined) return undefined;
  deciding.admission = withQuota(undefined, verdict);
  const { name = "", quota: { per } = { per: "" } } = account.plan;
  deciding.detail = `the ${verdict.refused} of plan "${name}" in this ${per}`;
  return "quota-exceeded";
}

/** The quota has room and was taken from: what another limit refuses is given back. */
function charged(
  deciding: Deciding,
  caller: LimitedCaller,
  { limits, deps, charge, verdict }: Limiting & { charge: Charge; verdict: QuotaVerdict },
): StepResult | Promise<StepResult> {
  const { meter, account, cost } = charge;
  const giveBack = (): void => meter.giveBack(account, cost, deciding.timeMs);
  const settle = (result: StepResult): StepResult => {
    if (result !== undefined) giveBack();
    else {
      deciding.admission = withQuota(deciding.admission, verdict);
      meter.began(deciding.id, account);
    }
    return result;
  };
  try {
    const result = rates(deciding, caller, { limits, deps });
    if (!(result instanceof Promise)) return settle(result);
    return result.then(settle, (error: unknown) => {
      giveBack();
      throw error;
    });
  } catch (error) {
    giveBack();
    throw error;
  }
}

function admitted(deciding: Deciding, admission: Admission): StepResult {
  deciding.admission = admission;
  if (admission.reason !== undefined) {
    const which = `the limit "${admission.limit}" of the route`;
    deciding.detail =
      admission.reason === "memory-unavailable" ? `${which} cannot be counted` : which;
  }
  return admission.reason;
}
