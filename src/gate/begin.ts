/** What a decision begins with. */
import type { Deciding, GateInput } from "./decision.ts";
import { requestIdOf } from "./request-id.ts";
import type { GateSnapshot } from "./snapshot.ts";
import type { GateDeps } from "./step.ts";

export function begin(input: GateInput, snapshot: GateSnapshot, deps: GateDeps): Deciding {
  const id = deps.nextDecisionId();
  return {
    id,
    timeMs: deps.clock.now(),
    input,
    snapshot,
    stream: undefined,
    requestId: requestIdOf(input.head.fields) ?? id,
    trace: input.trace,
    request: undefined,
    route: undefined,
    operation: undefined,
    servicePath: undefined,
    misfit: undefined,
    websocketKey: undefined,
    params: NO_PARAMS,
    allow: undefined,
    token: undefined,
    scheme: "bearer",
    facts: undefined,
    good: undefined,
    workload: undefined,
    device: undefined,
    principal: undefined,
    authn: undefined,
    credentials: NO_CREDENTIALS,
    usage: undefined,
    inspected: undefined,
    held: undefined,
    policy: undefined,
    shadow: undefined,
    admission: undefined,
    answerFields: undefined,
    own: undefined,
    detail: undefined,
  };
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(
  Object.create(null) as Record<string, string>,
);
const NO_CREDENTIALS = Object.freeze([]);
