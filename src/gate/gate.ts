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
import {
  type Deciding,
  type Denial,
  deny,
  type GateInput,
  type Permit,
  permit,
} from "./decision.ts";
import { canonicalise, isFault } from "./canonicalise.ts";
import { identify, recall } from "./identify.ts";
import { authorize } from "./authorize.ts";
import { limit } from "./limit.ts";
import { recordDecision } from "./record.ts";
import { requestIdOf } from "./request-id.ts";
import type { RouteMatch } from "./router.ts";
import type { GateRoute, GateSnapshot } from "./snapshot.ts";
import { getAllFields } from "../wire/fields.ts";
import type { GateDeps, Step, StepResult } from "./step.ts";

export interface Gate {
  /** Decides about one request by the snapshot given, and records it. Never throws or rejects. */
  decide(input: GateInput, snapshot: GateSnapshot): Permit | Denial | Promise<Permit | Denial>;
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
  peer, // before anything of the request: a caller whose certificate is bad is told nothing else
  canonical, // before anything reads host or path
  route, // before identity: the route says which credentials count
  recall, // facts that are at hand cost nothing, so they come before the budget
  budget, // before any signature is checked, so that bad tokens are cheap for us
  identify, // before policy: policy speaks of a verified principal
  authorize, // nothing after it can widen what it said
  limit, // last: what policy denies does not count against anybody's limit
];

export function createGate(deps: GateDeps): Gate {
  return {
    decide(input, snapshot) {
      const started = deps.clock.monotonic();
      const deciding = begin(input, snapshot, deps);
      try {
        for (let index = 0; index < STEPS.length; index++) {
          const result = (STEPS[index] as Step)(deciding, deps);
          if (result === undefined) continue;
          if (typeof result !== "string") {
            return resume(result, { index: index + 1, deciding, deps, started });
          }
          return conclude(deciding, result, { deps, started });
        }
        return conclude(deciding, "permitted", { deps, started });
      } catch (error) {
        return failed(error, deciding, { deps, started });
      }
    },
    refuse(input, snapshot, { reason, detail }) {
      const deciding = begin({ ...input, head: NO_HEAD }, snapshot, deps);
      deciding.detail = detail;
      const taken = recordDecision(deciding, reason, deps.audit);
      deps.decided(undefined, reason, 0);
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
  at: Progress & { readonly index: number; readonly deciding: Deciding },
): Promise<Permit | Denial> {
  try {
    let result = await waiting;
    for (let index = at.index; result === undefined && index < STEPS.length; index++) {
      result = await (STEPS[index] as Step)(at.deciding, at.deps);
    }
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
  const taken = recordDecision(deciding, reason, deps.audit);
  deps.decided(deciding.route?.name, reason, deps.clock.monotonic() - started);
  if (granted === undefined) return deny(deciding, reason, taken);
  if (taken !== "recorded") return deny(deciding, "audit-unavailable", taken);
  const durable = deps.audit.durable();
  if (durable === undefined) return granted;
  return durable.then(
    () => granted,
    // Its record was taken and may still reach the disk; a completion then says how it ended.
    () => deny(deciding, "audit-unavailable", "recorded"),
  );
}

function failed(error: unknown, deciding: Deciding, { deps, started }: Progress): Denial {
  deps.log.error("the gate failed and denies", {
    decision: deciding.id,
    error: error instanceof Error ? error : new Error(String(error)),
  });
  deciding.detail = "an error inside the gate; the log has it under the decision id";
  let taken: Taken = "refused";
  try {
    taken = recordDecision(deciding, "internal-error", deps.audit);
    deps.decided(deciding.route?.name, "internal-error", deps.clock.monotonic() - started);
  } catch (recording) {
    deps.log.error("a denial could not be recorded", {
      decision: deciding.id,
      error: recording instanceof Error ? recording : new Error(String(recording)),
    });
  }
  return deny(deciding, "internal-error", taken);
}

function begin(input: GateInput, snapshot: GateSnapshot, deps: GateDeps): Deciding {
  const id = deps.nextDecisionId();
  return {
    id,
    timeMs: deps.clock.now(),
    input,
    snapshot,
    requestId: requestIdOf(input.head.fields) ?? id,
    request: undefined,
    route: undefined,
    params: NO_PARAMS,
    allow: undefined,
    token: undefined,
    facts: undefined,
    principal: undefined,
    authn: undefined,
    credentials: NO_CREDENTIALS,
    policy: undefined,
    admission: undefined,
    detail: undefined,
  };
}

function writable(_deciding: Deciding, deps: GateDeps): StepResult {
  return deps.audit.writable() ? undefined : "audit-unavailable";
}

/** The certificate was verified with the connection; whether it still stands is asked every time. */
function peer(deciding: Deciding): StepResult {
  const { tls } = deciding.input.peer;
  if (tls === undefined) return undefined;
  const reason = tls.refusal(deciding.timeMs);
  if (reason === undefined) return undefined;
  deciding.detail = tls.detail;
  if (tls.thumbprint !== undefined) {
    deciding.credentials = [{ kind: "certificate", hash: tls.thumbprint, outcome: "refused" }];
  }
  return reason;
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

function route(deciding: Deciding): StepResult {
  const request = deciding.request;
  if (request === undefined) throw new TypeError("route comes after canonical");
  const match = deciding.snapshot.router.find(request.host, request.path);
  if (match === undefined) return "no-route";
  deciding.allow = match.allow;
  if (request.method === "OPTIONS" && preflight(deciding, match)) return "answered-by-proxy";
  const found = KNOWN_METHODS.has(request.method) ? match.method(request.method) : undefined;
  if (found === undefined) return "method-not-allowed";
  deciding.route = found;
  if (!found.pathParameters && request.path.includes(";")) {
    deciding.detail = "';' in the path, which this route does not allow";
    return "ambiguous-path";
  }
  if (found.params.length > 0) deciding.params = paramsOf(found.params, request.path);
  return undefined;
}

/**
 * Whether a browser asks on behalf of a page what it may send (Fetch standard, CORS-preflight). It
 * asks without a credential, so it is answered before identity; the method that it asks about says
 * which route is meant.
 */
function preflight(deciding: Deciding, match: RouteMatch<GateRoute>): boolean {
  const { fields } = deciding.input.head;
  const [asked, ...more] = getAllFields(fields, "access-control-request-method");
  if (asked === undefined || more.length > 0) return false;
  if (getAllFields(fields, "origin").length !== 1) return false;
  const meant = match.method(asked);
  if (meant?.cors !== true) return false;
  deciding.route = meant;
  return true;
}

function budget(deciding: Deciding, deps: GateDeps): StepResult {
  const { request } = deciding;
  if (deciding.facts !== undefined || deciding.token === undefined) return undefined;
  if (request === undefined) throw new TypeError("budget comes after canonical");
  return deps.budget.spent(request.clientAddress) ? "too-many-failures" : undefined;
}

/** Canonical paths hold valid UTF-8 and no encoded slash, so each segment decodes. */
function paramsOf(
  params: readonly { readonly name: string; readonly index: number }[],
  path: string,
): Readonly<Record<string, string>> {
  const segments = path.slice(1).split("/");
  const values: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const { name, index } of params) values[name] = decodeURIComponent(segments[index] ?? "");
  return values;
}

const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);
const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(
  Object.create(null) as Record<string, string>,
);
const NO_CREDENTIALS = Object.freeze([]);

/** Stands for the head of what never became a request. */
const NO_HEAD: GateInput["head"] = Object.freeze({
  method: "",
  target: "",
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
