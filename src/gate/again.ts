/**
 * Decides again about a stream that is open, by another snapshot, after a revocation, or because what
 * was known about its credential has lapsed: the same request, the same credential, the steps that can come out
 * otherwise. What it was counted for when it began is not counted again, and a credential that is
 * not good any more spends nobody's budget. Only a denial is recorded: it ends the stream.
 */
import { authorize } from "./authorize.ts";
import { begin } from "./begin.ts";
import {
  type Deciding,
  type Denial,
  deny,
  type OpenStream,
  type Permit,
  permit,
} from "./decision.ts";
import { identify, recall } from "./identify.ts";
import { inspectedBefore } from "./inspect.ts";
import { narrowed } from "./narrowed.ts";
import { operation } from "./operation.ts";
import { peer } from "./peer.ts";
import { recordDecision } from "./record.ts";
import { fresh, unblocked } from "./revocation.ts";
import { route } from "./route.ts";
import type { GateSnapshot } from "./snapshot.ts";
import type { GateDeps, Step, StepResult } from "./step.ts";

/** Why each stands where it does: see the steps of `gate.ts`. */
const STEPS: readonly Step[] = [
  fresh,
  peer,
  route,
  sameService,
  operation,
  recall,
  identify,
  narrowed,
  unblocked,
  inspectedBefore,
  authorize,
];

const FREE: GateDeps["budget"] = { spent: () => false, charge: () => undefined };

/** `standing` is what the stream was last permitted by. Never throws or rejects. */
export function decideAgain(
  standing: Permit,
  { stream, snapshot }: { readonly stream: OpenStream; readonly snapshot: GateSnapshot },
  deps: GateDeps,
): Permit | Denial | Promise<Permit | Denial> {
  const free: GateDeps = { ...deps, budget: FREE };
  const deciding = begin(standing.input, snapshot, deps);
  deciding.stream = stream;
  deciding.request = standing.request;
  deciding.inspected = standing.inspected;
  try {
    const result = run(deciding, free, 0);
    if (!(result instanceof Promise)) return conclude(deciding, result, deps);
    return result.then(
      (settled) => conclude(deciding, settled, deps),
      (error: unknown) => failed(error, deciding, deps),
    );
  } catch (error) {
    return failed(error, deciding, deps);
  }
}

function run(deciding: Deciding, deps: GateDeps, from: number): StepResult | Promise<StepResult> {
  for (let index = from; index < STEPS.length; index++) {
    const result = (STEPS[index] as Step)(deciding, deps);
    if (result === undefined) continue;
    if (typeof result === "string") return result;
    return result.then((settled) => settled ?? run(deciding, deps, index + 1));
  }
  return undefined;
}

/** Step: the bytes of the stream go where they went; the permit must be for that service. */
function sameService(deciding: Deciding): StepResult {
  if (deciding.route?.service === deciding.stream?.service) return undefined;
  deciding.detail = "the route of the stream leads to another service now";
  return "no-route";
}

function conclude(deciding: Deciding, result: StepResult, deps: GateDeps): Permit | Denial {
  if (result === undefined) return permit(deciding);
  return deny(deciding, result, recordDecision(deciding, result, deps.audit));
}

function failed(error: unknown, deciding: Deciding, deps: GateDeps): Denial {
  deps.log.error("the gate failed and denies a stream", {
    decision: deciding.id,
    error: error instanceof Error ? error : new Error(String(error)),
  });
  deciding.detail = "an error inside the gate; the log has it under the decision id";
  try {
    return conclude(deciding, "internal-error", deps) as Denial;
  } catch {
    return deny(deciding, "internal-error", "refused");
  }
}
