/**
 * Joins gate and engine: every request of a listener goes through the gate and is answered with a
 * problem document or forwarded with its permit. Errors become responses here and nowhere else.
 */
import type { Exchange, ExchangeHandler } from "../http/exchange.ts";
import type { HeldBytes } from "../http/held-bytes.ts";
import { holdBody, HeldExchange } from "../http/held-exchange.ts";
import { recordUnread } from "../http/recorded-answer.ts";
import { type Denial, type GateInput, isDenial, type Permit } from "../gate/decision.ts";
import type { Gate } from "../gate/gate.ts";
import type { GateRoute, GateSnapshot } from "../gate/snapshot.ts";
import type { Fields } from "../model/http.ts";
import type { Log } from "../model/ports.ts";
import type { Challenge } from "../identity/challenge.ts";
import { type Reason, reasonInfo } from "../model/reason.ts";
import { keepError } from "../telemetry/traces/ended-trace.ts";
import { type RequestTrace, spansOf, traceresponseOf } from "../telemetry/traces/request-trace.ts";
import { AMBIGUOUS, forward } from "./forward.ts";
import type { ForwardDeps, ForwardRoute, RouteAnswers } from "./forward-route.ts";
import { type LoginEndpoints, OWN_PREFIX } from "./login.ts";
import type { LoginSnapshot } from "./login-call.ts";
import { loginRedirect } from "./login-redirect.ts";
import { problemResponse, type ProblemResponse } from "./problem.ts";
import type { ProtectedResources } from "./protected-resources.ts";
import { withResourceMetadata } from "./resource-challenge.ts";
import { withStepUp } from "./step-up-challenge.ts";
import { refusal } from "./refusal.ts";
import type { Redirect } from "./redirect.ts";
import { Unfit } from "./render.ts";
import type { Unsent } from "./unsent.ts";
import type { WellKnown } from "./well-known.ts";

/** One configuration, compiled: swapped by one assignment, read once by each request. */
/** How callers are asked for proofs of possession, and at which listeners these can be made for anything. */
export interface ProofChallenges {
  readonly challenge: Challenge;
  readonly listeners: ReadonlySet<string>;
}

export interface ProxySnapshot {
  readonly gate: GateSnapshot;
  readonly forwards: ReadonlyMap<GateRoute, ForwardRoute | RedirectRoute>;
  /** What OAuth clients are told; undefined: nothing. */
  readonly resources?: ProtectedResources | undefined;
  /** What callers are told of proofs; undefined: nothing. */
  readonly proofs?: ProofChallenges | undefined;
  /** Names of the listeners that answer our own public documents. */
  readonly wellKnown: ReadonlySet<string>;
  /** Undefined where no listener serves logins. */
  readonly logins?: LoginSnapshot | undefined;
}

/** A route that sends its callers elsewhere. */
export interface RedirectRoute extends RouteAnswers {
  readonly redirect: Redirect;
  /** `cache-control` where the answer is not the same for everybody. */
  readonly caching: Fields;
}

export interface HandlerDeps extends ForwardDeps {
  readonly gate: Gate;
  readonly log: Log;
  /** Room for bodies that policies look into, of the whole process. */
  readonly heldBytes: HeldBytes;
  /** The snapshot in force now. */
  readonly snapshot: () => ProxySnapshot;
  /** Our own public documents; undefined without an authority. */
  readonly wellKnown?: WellKnown | undefined;
  /** Where people log in and out. */
  readonly login?: LoginEndpoints | undefined;
  /** Endpoints of ours that are none of the proxy's: whether the request was for one, and is answered. */
  readonly own?: ((exchange: Exchange, gate: GateSnapshot) => boolean) | undefined;
}

/** What all of our own paths begin with: no other request pays more than this look at two characters. */
const OWN_PATHS = "/.";

export function createProxyHandler(deps: HandlerDeps): ExchangeHandler {
  return {
    request(exchange) {
      const { head, connection } = exchange;
      const snapshot = deps.snapshot();
      if (deps.wellKnown !== undefined && snapshot.wellKnown.has(connection.listener)) {
        const own = deps.wellKnown.answer(head, connection.listener, snapshot.resources);
        if (own !== undefined) return exchange.reply(own.status, own.fields, own.body);
      }
      if (
        deps.own !== undefined &&
        head.target.startsWith(OWN_PATHS) &&
        deps.own(exchange, snapshot.gate)
      ) {
        return;
      }
      const { logins } = snapshot;
      if (
        logins !== undefined &&
        deps.login !== undefined &&
        head.target.startsWith(OWN_PREFIX) &&
        logins.listeners.has(connection.listener)
      ) {
        return deps.login.handle(exchange, { gate: snapshot.gate, logins });
      }
      const input: GateInput = {
        head,
        listener: connection.listener,
        scheme: connection.scheme,
        peer: connection.peer,
        trust: connection.trust,
        connection,
        trace: deps.tracing?.begin(exchange),
        body:
          head.bodyKind === "none"
            ? undefined
            : (maxBytes) => holdBody(exchange, { maxBytes, room: deps.heldBytes }),
      };
      const outcome = deps.gate.decide(input, snapshot.gate);
      if (outcome instanceof Promise) {
        outcome
          .then((settled) => answer(settled, exchange, snapshot, deps))
          // decide() never rejects; what fails here is the answer, and nobody else would catch it:
          // the whole process would end.
          .catch((error: unknown) => {
            deps.log.error("a request could not be answered", { error: asError(error) });
            giveUp(exchange);
          });
        return;
      }
      answer(outcome, exchange, snapshot, deps);
    },
    malformed({ connection, reason, detail }) {
      const receivedAt = deps.clock.monotonic();
      const denial = deps.gate.refuse(
        {
          listener: connection.listener,
          scheme: connection.scheme,
          peer: connection.peer,
          connection,
          trace: deps.tracing?.begin({ head: NOTHING_READ, connection, receivedAt }),
        },
        deps.snapshot().gate,
        { reason, detail },
      );
      const problem = problemResponse(denial.denied, denial);
      problem.fields.push(...traceresponseOf(denial.trace));
      const { audit, clock } = deps;
      recordUnread({ ...denial, ...problem }, { audit, clock, receivedAt });
      return problem;
    },
  };
}

/** Of what never became a request. */
const NOTHING_READ = Object.freeze({ fields: Object.freeze([]) });

function answer(
  outcome: Permit | Denial,
  exchange: Exchange,
  snapshot: ProxySnapshot,
  deps: HandlerDeps,
): void {
  if (isDenial(outcome)) {
    refuse(outcome, exchange, snapshot, deps);
    return;
  }
  const { admission, held } = outcome;
  // What was decided about is what goes on.
  if (held instanceof HeldExchange) exchange = held;
  if (admission !== undefined) {
    if (exchange.gone) admission.release();
    else exchange.whenOver = admission.release;
  }
  const route = snapshot.forwards.get(outcome.route);
  if (route === undefined) throw new TypeError(`route ${outcome.route.name} has no forward plan`);
  const unsent =
    route.redirect === undefined
      ? forward(outcome, { exchange, route, deps })
      : redirect(outcome, { exchange, route, deps });
  if (unsent === undefined) return;
  const { decisionId } = outcome;
  const { reason, detail } = unsent;
  deps.log.debug("a permitted request was not sent", { decision: decisionId, reason, detail });
  const cors = route.cors?.answer(exchange.head);
  let { trace } = outcome;
  if (trace !== undefined && reasonInfo(reason).status >= 500) {
    const { tracing } = deps;
    trace = keepError(trace, { permit: outcome, startedAt: exchange.receivedAt, tracing });
  }
  const problem = refusal(exchange.head, reason, { decisionId, trace, admission, cors });
  problem.fields.push(...(outcome.answerFields ?? []));
  const how = { decisionId, trace, recorded: true, permitted: outcome, end: reason };
  reply(problem, { ...how, exchange, deps });
}

/** Undefined once the caller has been told where to go. */
function redirect(
  permit: Permit,
  given: { readonly exchange: Exchange; readonly route: RedirectRoute; readonly deps: HandlerDeps },
): Unsent | undefined {
  const { exchange, route, deps } = given;
  const location = route.redirect.location(permit);
  if (location === undefined) return AMBIGUOUS;
  const prepared = route.prepare?.(permit);
  if (prepared instanceof Unfit) return { reason: "unfit-value", detail: prepared.detail };
  const { decisionId, admission } = permit;
  const fields = route.responseFields(["location", location, ...route.caching], decisionId);
  fields.push(...(prepared?.responseFields ?? []), ...(admission?.fields ?? []));
  fields.push(...(permit.answerFields ?? []), ...(route.cors?.answer(exchange.head) ?? []));
  const moved = { status: route.redirect.status, fields, body: "" };
  const { trace } = permit;
  const how = { decisionId, trace, recorded: true, permitted: permit, end: "complete" as const };
  reply(moved, { ...how, exchange, deps });
  return undefined;
}

function refuse(
  denial: Denial,
  exchange: Exchange,
  snapshot: ProxySnapshot,
  deps: HandlerDeps,
): void {
  const route = denial.route === undefined ? undefined : snapshot.forwards.get(denial.route);
  const { decisionId, trace, recorded } = denial;
  const toLogin =
    snapshot.logins === undefined
      ? undefined
      : loginRedirect(denial, exchange.head, snapshot.logins);
  if (toLogin !== undefined) {
    const fields = ["location", toLogin, "cache-control", "no-store"];
    fields.push("sallyport-decision", decisionId, ...(denial.answerFields ?? []));
    const moved = { status: 303, fields, body: "" };
    return reply(moved, { decisionId, trace, recorded, end: "complete", exchange, deps });
  }
  // The one answer of ours on a route: a preflight.
  const preflight = denial.denied === "answered-by-proxy" ? route?.cors : undefined;
  const problem =
    preflight === undefined
      ? refusal(exchange.head, denial.denied, {
          decisionId,
          trace,
          allow: denial.allow,
          challenge: challengeOf(denial, exchange, snapshot),
          admission: denial.admission,
          misfit: denial.misfit,
          cors: route?.cors?.answer(exchange.head),
        })
      : preflightResponse(decisionId, preflight.preflight(exchange.head));
  const asked = askedForProof(denial, exchange, snapshot);
  if (asked !== undefined) problem.fields.push("www-authenticate", asked);
  if (denial.answerFields !== undefined) problem.fields.push(...denial.answerFields);
  // What is wrong with the caller's certificate is wrong with the whole connection.
  const close = CERTIFICATE_REASONS.has(denial.denied);
  reply(problem, { decisionId, trace, recorded, end: "complete", close, exchange, deps });
}

/** With what the login has to be, and the place where a client finds out how to get in. */
function challengeOf(
  { route, denied, stepUp }: Denial,
  { head, connection }: Exchange,
  { forwards, resources }: ProxySnapshot,
): string | undefined {
  if (route === undefined) return undefined;
  const plain = forwards.get(route)?.challenge(denied);
  const challenge = plain === undefined ? undefined : withStepUp(plain, stepUp);
  if (challenge === undefined || resources === undefined) return challenge;
  const url = resources.metadataUrl(connection.listener, route, head.host);
  return withResourceMetadata(challenge, url);
}

/** Beside the challenge of Bearer, where the route takes tokens (RFC 9449 section 7.2). */
function askedForProof(
  { denied, route }: Denial,
  { connection }: Exchange,
  { proofs }: ProxySnapshot,
): string | undefined {
  if (route?.bearer === undefined) return undefined;
  return proofs?.listeners.has(connection.listener) === true ? proofs.challenge(denied) : undefined;
}

function preflightResponse(decisionId: string, cors: Fields): ProblemResponse {
  return { status: 204, fields: ["sallyport-decision", decisionId, ...cors], body: "" };
}

const CERTIFICATE_REASONS: ReadonlySet<Reason> = new Set([
  "missing-certificate",
  "untrusted-certificate",
  "certificate-expired",
  "certificate-revoked",
  "revocation-unknown",
]);
const CLOSE = Object.freeze({ close: true });

/** Answers a request ourselves, and records how it ended if its decision has a record of its own. */
function reply(
  problem: ProblemResponse,
  given: {
    readonly decisionId: string;
    readonly trace: RequestTrace | undefined;
    readonly recorded: boolean;
    /** What the gate let through; denials are counted there. */
    readonly permitted?: Permit;
    readonly end: "complete" | Reason;
    /** Whether the connection must not carry another request. */
    readonly close?: boolean;
    readonly exchange: Exchange;
    readonly deps: HandlerDeps;
  },
): void {
  const { decisionId, trace, recorded, permitted, end, exchange, deps } = given;
  problem.fields.push(...traceresponseOf(trace));
  // Asked before the answer: one that is the last of its connection leaves nobody there.
  const { gone } = exchange;
  exchange.reply(problem.status, problem.fields, problem.body, given.close ? CLOSE : undefined);
  const figures = {
    upstream: undefined,
    status: gone ? 0 : problem.status,
    grpcStatus: gone ? undefined : problem.grpcStatus,
    requestBytes: 0,
    responseBytes: gone ? 0 : Buffer.byteLength(problem.body),
    upstreamMs: undefined,
    end: gone ? ("caller-gone" as const) : end,
  };
  const durationMs = deps.clock.monotonic() - exchange.receivedAt;
  if (trace !== undefined) spansOf(trace)?.end(figures);
  if (permitted !== undefined) {
    deps.completed(permitted.route.name, { ...figures, durationMs, detail: undefined }, decisionId);
  }
  if (!recorded) return;
  deps.audit.completion({ timeMs: deps.clock.now(), decisionId, durationMs, ...figures });
}

/** The caller must not hang: it gets a 500, or sees its answer cut short where one was begun. */
function giveUp(exchange: Exchange): void {
  try {
    exchange.reply(500, [], "", { close: true });
  } catch {
    exchange.stream.abort();
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
