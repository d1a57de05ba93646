/**
 * What a decision is made of while it is made, and the two values that it ends in. A `Permit` is the
 * only thing that `forward` takes, and only this folder can make one.
 */
import type { CredentialFacts } from "../model/facts.ts";
import type {
  CanonicalRequest,
  Fields,
  HeldBody,
  HoldBody,
  Peer,
  RequestHead,
  TrustProxy,
} from "../model/http.ts";
import type { Admission } from "../limits/route-limits.ts";
import type { Authn, PolicyDecision, ShadowDecision, StepUp } from "../model/policy.ts";
import type { Principal } from "../model/principal.ts";
import type { Reason } from "../model/reason.ts";
import type { RecordedKey } from "../model/issued-keys.ts";
import type { RecordedCredential, RecordedIssue, RecordedUsage, Taken } from "../model/records.ts";
import type { Inspected } from "./inspection.ts";
import type { RequestTrace } from "../telemetry/traces/request-trace.ts";
import type { Misfit } from "./operations/operation-checks.ts";
import type { GateOperation } from "./operations/operation-router.ts";
import type { GateRoute, GateSnapshot } from "./snapshot.ts";

/** A well-formed request as a transport hands it in. */
export interface GateInput {
  readonly head: RequestHead;
  readonly listener: string;
  readonly scheme: "http" | "https";
  readonly peer: Peer;
  /** Who else is a trusted proxy, where the peer is one: then what it says of the caller is believed. */
  readonly trust?: TrustProxy | undefined;
  /** One slot that lives as long as the caller's connection; the gate keeps the last credential there. */
  readonly connection: { memo: unknown };
  /** Reads the body; left out where there is none, or where the transport cannot. */
  readonly body?: HoldBody | undefined;
  /** The trace that it is part of; left out: of none. */
  readonly trace?: RequestTrace | undefined;
}

/** A stream that is open, as far as it is decided about again. */
export interface OpenStream {
  /** Of the decision that let it in. */
  readonly decisionId: string;
  /** Where its bytes go. */
  readonly service: string | undefined;
}

/** Grows step by step; nothing outside the gate sees it before the decision is made. */
export interface Deciding {
  readonly id: string;
  /** When it is decided; moves on while the body comes in. */
  timeMs: number;
  readonly input: GateInput;
  readonly snapshot: GateSnapshot;
  /** What is decided again; undefined for a request that comes in. */
  stream: OpenStream | undefined;
  requestId: string;
  /** Kept from the decision on, where denials always are. */
  trace: RequestTrace | undefined;
  request: CanonicalRequest | undefined;
  route: GateRoute | undefined;
  /** What it is for its service, and the path there; undefined where that has no description. */
  operation: GateOperation | undefined;
  servicePath: string | undefined;
  /** What of the request does not fit its service's description. */
  misfit: Misfit | undefined;
  /** Of a request that asks for a WebSocket and may have one. */
  websocketKey: string | undefined;
  params: Readonly<Record<string, string>>;
  allow: string | undefined;
  /** The token of the Authorization field, when the route takes one and the request carries one. */
  token: string | undefined;
  scheme: TokenScheme;
  /** What is known of the token; once identity is found out, of the credential that it comes from. */
  facts: CredentialFacts | undefined;
  /** All credentials that were good, on a route with several ways; undefined on others. */
  good: CredentialFacts[] | undefined;
  /** What the connection's certificate, and what the credentials say of a device and of who acts. */
  workload: Principal | undefined;
  device: Principal | undefined;
  principal: Principal | undefined;
  authn: Authn | undefined;
  credentials: readonly RecordedCredential[];
  /** What the request counts for; undefined where nobody counts, and until it is permitted. */
  usage: RecordedUsage | undefined;
  /** What the route reads of the body; undefined where it reads nothing or there is none. */
  inspected: Inspected | undefined;
  /** The body that it was read from. */
  held: HeldBody | undefined;
  policy: PolicyDecision | undefined;
  /** What the candidate set would have done, where it is something else. */
  shadow: ShadowDecision | undefined;
  /** What the route's limits said; undefined where it has none, or was not asked yet. */
  admission: Admission | undefined;
  /** Fields that go out with the answer, whoever gives it: name, value, name, value, … */
  answerFields: string[] | undefined;
  /** What a request to an endpoint of ours is about; undefined for all others. */
  own: OwnSubject | undefined;
  /** For the operator; holds no secret. */
  detail: string | undefined;
}

/** What stands on record of a request to an endpoint of ours, which has no route. */
export interface OwnSubject {
  /** Id of an action that policies know. */
  readonly action?: string | undefined;
  readonly service?: string | undefined;
  /** Those that are asked for. */
  readonly scopes?: readonly string[] | undefined;
  readonly issue?: RecordedIssue | undefined;
  readonly key?: RecordedKey | undefined;
}

/** How a token came: `Authorization: DPoP …` says that it is bound to a key (RFC 9449 section 7.1). */
export type TokenScheme = "bearer" | "dpop";

export function answerWith(deciding: Deciding, fields: Fields): void {
  if (deciding.answerFields === undefined) deciding.answerFields = [...fields];
  else deciding.answerFields.push(...fields);
}

const MADE_BY_GATE: unique symbol = Symbol("made by gate.decide");

/** Says that exactly this canonical request may be forwarded on this route. */
export class Permit {
  readonly #deciding: Deciding;
  readonly request: CanonicalRequest;
  readonly route: GateRoute;
  readonly principal: Principal;

  constructor(
    key: typeof MADE_BY_GATE,
    deciding: Deciding,
    granted: { request: CanonicalRequest; route: GateRoute; principal: Principal },
  ) {
    if (key !== MADE_BY_GATE) throw new TypeError("only gate.decide makes a Permit");
    this.#deciding = deciding;
    this.request = granted.request;
    this.route = granted.route;
    this.principal = granted.principal;
  }

  get decisionId(): string {
    return this.#deciding.id;
  }

  get requestId(): string {
    return this.#deciding.requestId;
  }

  /** The trace that it is part of; undefined: of none. */
  get trace(): RequestTrace | undefined {
    return this.#deciding.trace;
  }

  get params(): Readonly<Record<string, string>> {
    return this.#deciding.params;
  }

  /** What was decided about, and by which snapshot: for a stream that is decided again. */
  get input(): GateInput {
    return this.#deciding.input;
  }

  get snapshot(): GateSnapshot {
    return this.#deciding.snapshot;
  }

  /** Of a request that asks for a WebSocket and may have one. */
  get websocketKey(): string | undefined {
    return this.#deciding.websocketKey;
  }

  get facts(): CredentialFacts | undefined {
    return this.#deciding.facts;
  }

  /** Further credentials of the request; undefined on routes that take one. */
  get good(): readonly CredentialFacts[] | undefined {
    return this.#deciding.good;
  }

  /** How the caller's token came in Authorization; undefined where that field was not verified. */
  get tokenScheme(): TokenScheme | undefined {
    const { token, scheme } = this.#deciding;
    return token === undefined ? undefined : scheme;
  }

  /** Fields that go out with the service's answer; undefined: none. */
  get answerFields(): Fields | undefined {
    return this.#deciding.answerFields;
  }

  /** What was read of the body; undefined where nothing was. */
  get inspected(): Inspected | undefined {
    return this.#deciding.inspected;
  }

  /** The body as it was decided about: it, and nothing else, is to go on. Undefined: none was read. */
  get held(): HeldBody | undefined {
    return this.#deciding.held;
  }

  /** What the route's limits said; its `release` is to be called when the exchange is over. */
  get admission(): Admission | undefined {
    return this.#deciding.admission;
  }
}

/** A refusal with its reason; `proxy/` turns it into an answer. */
export interface Denial {
  readonly denied: Reason;
  readonly decisionId: string;
  readonly requestId: string;
  /** The trace that it is part of; undefined: of none. */
  readonly trace: RequestTrace | undefined;
  readonly route: GateRoute | undefined;
  /** For 405. */
  readonly allow: string | undefined;
  /** What the route's limits said, where they were asked. */
  readonly admission: Admission | undefined;
  /** Fields that go out with the refusal; undefined: none. */
  readonly answerFields: Fields | undefined;
  /** Undefined where there was none that could be read in one way. */
  readonly request: CanonicalRequest | undefined;
  /** For `step-up-required`: what the login has to be. */
  readonly stepUp: StepUp | undefined;
  /** For `invalid-parameter` and `invalid-body`: what does not fit, where it is known. */
  readonly misfit: Misfit | undefined;
  /** Whether its record is in the log, so that a completion belongs there too. */
  readonly recorded: boolean;
}

export function isDenial(outcome: Permit | Denial): outcome is Denial {
  return "denied" in outcome;
}

/** The last step of a decision. Throws TypeError when a step was left out: a defect, so nothing is granted. */
export function permit(deciding: Deciding): Permit {
  const { request, route, principal, policy } = deciding;
  if (request === undefined || route === undefined || principal === undefined) {
    throw new TypeError("a permit needs a request, a route and a principal");
  }
  if (policy?.reason !== "permitted") throw new TypeError("a permit needs a policy that permits");
  return new Permit(MADE_BY_GATE, deciding, { request, route, principal });
}

export function deny(deciding: Deciding, reason: Reason, taken: Taken): Denial {
  // Nothing is in flight, or held, of what is not let through.
  deciding.admission?.release();
  deciding.held?.release();
  return {
    denied: reason,
    decisionId: deciding.id,
    requestId: deciding.requestId,
    trace: deciding.trace,
    route: deciding.route,
    allow: deciding.allow,
    admission: deciding.admission,
    answerFields: deciding.answerFields,
    request: deciding.request,
    stepUp: deciding.policy?.stepUp,
    misfit: deciding.misfit,
    recorded: taken === "recorded",
  };
}
