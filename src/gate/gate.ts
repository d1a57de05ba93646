/**
 * The decision sequence, free of transport: a request and its credentials in, a `Permit` or a
 * `Denial` out, and a record of either. Anything unexpected in here denies.
 *
 * It answers at once when every fact is at hand (the usual case) and with a promise only when
 * something has to be fetched or, with strict durability, written first.
 */
import type { Taken } from "../model/records.ts";
import type { Reason } from "../model/reason.ts";
import { METHODS } from "../model/vocabulary.ts";
import { spansOf } from "../telemetry/traces/request-trace.ts";
import { isGrpcCall } from "../wire/grpc/call.ts";
import {
  type Deciding,
  type Denial,
  deny,
  type GateInput,
  type OpenStream,
  type Permit,
  permit,
} from "./decision.ts";
import { decideAgain } from "./again.ts";
import { begin } from "./begin.ts";
import { canonicalise, isFault } from "./canonicalise.ts";
import { identify, recall } from "./identify.ts";
import { authorize } from "./authorize.ts";
import { inspect } from "./inspect.ts";
import { limit } from "./limit.ts";
import { narrowed } from "./narrowed.ts";
import { beginOwn, type OwnRequest } from "./own.ts";
import { operation } from "./operation.ts";
import { peer } from "./peer.ts";
import { recordDecision } from "./record.ts";
import { validBody, validParameters } from "./validate.ts";
import { traced, traceDecision, traceEnd } from "./traced.ts";
import { fresh, takenAwayMeanwhile, unblocked } from "./revocation.ts";
import { route } from "./route.ts";
import type { GateSnapshot } from "./snapshot.ts";
import type { GateDeps, Step, StepResult } from "./step.ts";

export interface Gate {
  /** A request to an endpoint of ours, which no route decides about. Never throws. */
  own(input: GateInput, snapshot: GateSnapshot): OwnRequest | Denial;
  /** Decides about one request by the snapshot given, and records it. Never throws or rejects. */
  decide(input: GateInput, snapshot: GateSnapshot): Permit | Denial | Promise<Permit | Denial>;
  /**
   * Decides by another snapshot about a stream that is open; `standing` is what it was last permitted
   * by. Records a denial. Never throws or rejects.
   */
  decideAgain(
    standing: Permit,
    again: { readonly stream: OpenStream; readonly snapshot: GateSnapshot },
  ): Permit | Denial | Promise<Permit | Denial>;
  /** Records a refusal of what never became a request, and gives the denial to answer with. */
  refuse(
    input: Omit<GateInput, "head">,
    snapshot: GateSnapshot,
    fault: { readonly reason: Reason; readonly detail: string },
  ): Denial;
}

/** The order matters; each line says why it stands where it does. */
const STEPS: readonly Step[] = [
  writable, // first: what cannot be recorded is not looked at
  fresh, // next: while a revocation may be missing nobody is let in, whoever asks
  peer, // before anything of the request: a caller whose certificate is bad is told nothing else
  canonical, // before anything reads host or path
  route, // before identity: the route says which credentials count
  operation, // with it: what its service does not describe is no route either
  recall, // facts that are at hand cost nothing, so they come before the budget
  budget, // before any signature is checked, so that bad tokens are cheap for us
  identify, // before policy: policy speaks of a verified principal
  narrowed, // with it: what a credential is not for is told before anything is asked about its principal
  unblocked, // after identity, so that the record says who was kept out
  validParameters, // before bodies are held, and before policy, which then reads none that it cannot
  inspect, // before policy, which may ask for it; after all that keeps strangers from filling our memory
  validBody, // with it: neither needs the other
  authorize, // nothing after it can widen what it said
  limit, // last: what policy denies does not count against anybody's limit
];

/** For requests whose trace is recorded. */
const TRACED_STEPS = traced(STEPS);

export function createGate(deps: GateDeps): Gate {
  return {
    decide(input, snapshot) {
      const started = deps.clock.monotonic();
      const deciding = begin(input, snapshot, deps);
      const steps = spansOf(input.trace) === undefined ? STEPS : TRACED_STEPS;
      try {
        for (let index = 0; index < steps.length; index++) {
          const result = (steps[index] as Step)(deciding, deps);
          if (result === undefined) continue;
          if (typeof result !== "string") {
            return resume(result, { index: index + 1, deciding, steps, deps, started });
          }
          return conclude(deciding, result, { deps, started });
        }
        return conclude(deciding, "permitted", { deps, started });
      } catch (error) {
        return failed(error, deciding, { deps, started });
      }
    },
    own: (input, snapshot) => beginOwn(input, snapshot, deps),
    decideAgain: (standing, again) => decideAgain(standing, again, deps),
    refuse(input, snapshot, { reason, detail }) {
      const deciding = begin({ ...input, head: NO_HEAD }, snapshot, deps);
      deciding.detail = detail;
      const started = deciding.trace === undefined ? 0 : deps.clock.monotonic();
      traceDecision(deciding, reason, { deps, started });
      const taken = recordDecision(deciding, reason, deps.audit);
      traceEnd(deciding, started);
      deps.decided(undefined, reason, 0, false, deciding.id);
      return deny(deciding, reason, taken);
    },
  };
}

interface Progress {
  readonly deps: GateDeps;
  readonly started: number;
}

/** The rest of the steps, once one had to wait. */
async function resume(
  waiting: Promise<StepResult>,
  at: Progress & {
    readonly index: number;
    readonly deciding: Deciding;
    readonly steps: readonly Step[];
  },
): Promise<Permit | Denial> {
  try {
    let result = await waiting;
    const { steps } = at;
    for (let index = at.index; result === undefined && index < steps.length; index++) {
      result = await (steps[index] as Step)(at.deciding, at.deps);
    }
    result ??= takenAwayMeanwhile(at.deciding, at.deps);
    return await conclude(at.deciding, result ?? "permitted", at);
  } catch (error) {
    return failed(error, at.deciding, at);
  }
}

/** Records the decision; a permit leaves only when its record was taken (and, if strict, is on disk). */
function conclude(
  deciding: Deciding,
  reason: Reason,
  { deps, started }: Progress,
): Permit | Denial | Promise<Permit | Denial> {
  // Made before it is recorded: if it cannot be made, no record says that it was.
  const granted = reason === "permitted" ? permit(deciding) : undefined;
  traceDecision(deciding, reason, { deps, started });
  const taken = recordDecision(deciding, reason, deps.audit);
  decided(deciding, reason, { deps, started });
  if (granted === undefined) {
    traceEnd(deciding, started);
    return deny(deciding, reason, taken);
  }
  if (taken !== "recorded") {
    traceEnd(deciding, started, "audit-unavailable");
    return deny(deciding, "audit-unavailable", taken);
  }
  const durable = deps.audit.durable();
  if (durable !== undefined) return onDisk(durable, { deciding, granted, deps, started });
  traceEnd(deciding, started);
  return granted;
}

/** A permit that waits until its record is on the disk. */
async function onDisk(
  durable: Promise<void>,
  given: Progress & { readonly deciding: Deciding; readonly granted: Permit },
): Promise<Permit | Denial> {
  const { deciding, granted, deps, started } = given;
  const spans = spansOf(deciding.trace);
  const from = spans === undefined ? 0 : deps.clock.monotonic();
  try {
    await durable;
    spans?.step("record", from, true);
    traceEnd(deciding, started);
    return granted;
  } catch {
    traceEnd(deciding, started, "audit-unavailable");
    // Its record was taken and may still reach the disk; a completion then says how it ended.
    return deny(deciding, "audit-unavailable", "recorded");
  }
}

function decided(deciding: Deciding, reason: Reason, { deps, started }: Progress): void {
  const grpc = isGrpcCall(deciding.input.head);
  deps.decided(deciding.route?.name, reason, deps.clock.monotonic() - started, grpc, deciding.id);
}

function failed(error: unknown, deciding: Deciding, { deps, started }: Progress): Denial {
  deps.log.error("the gate failed and denies", {
    decision: deciding.id,
    error: error instanceof Error ? error : new Error(String(error)),
  });
  deciding.detail = "an error inside the gate; the log has it under the decision id";
  let taken: Taken = "refused";
  try {
    traceDecision(deciding, "internal-error", { deps, started });
    taken = recordDecision(deciding, "internal-error", deps.audit);
    decided(deciding, "internal-error", { deps, started });
  } catch (recording) {
    deps.log.error("a denial could not be recorded", {
      decision: deciding.id,
      error: recording instanceof Error ? recording : new Error(String(recording)),
    });
  }
  traceEnd(deciding, started);
  return deny(deciding, "internal-error", taken);
}

function writable(_deciding: Deciding, deps: GateDeps): StepResult {
  return deps.audit.writable() ? undefined : "audit-unavailable";
}

function canonical(deciding: Deciding): StepResult {
  const { method, target } = deciding.input.head;
  if (target === "*" && method === "OPTIONS") {
    deciding.allow = METHODS.join(", ");
    return "answered-by-proxy";
  }
  const request = canonicalise(deciding.input, {
    pathParameters: deciding.snapshot.anyPathParameters ? "allow" : "refuse",
  });
  if (isFault(request)) {
    deciding.detail = request.detail;
    return request.reason;
  }
  deciding.request = request;
  return undefined;
}

function budget(deciding: Deciding, deps: GateDeps): StepResult {
  const { request } = deciding;
  if (deciding.facts !== undefined || deciding.token === undefined) return undefined;
  if (request === undefined) throw new TypeError("budget comes after canonical");
  return deps.budget.spent(request.clientAddress) ? "too-many-failures" : undefined;
}

/** Stands for the head of what never became a request. */
const NO_HEAD: GateInput["head"] = Object.freeze({
  method: "",
  target: "",
  version: "1.1",
  minorVersion: 1,
  fields: Object.freeze([]),
  host: undefined,
  authorization: undefined,
  authorizationCount: 0,
  bodyKind: "none",
  contentLength: 0,
  keepAlive: false,
  expectContinue: false,
  connectionOptions: undefined,
  upgrade: undefined,
});
