/**
 * Joins gate, keys and engine for callers beside us: the gate says which service a request is for and records it,
 * the service's key is put on it, and it goes. A caller needs no credential and no code; what it sends as one is
 * stripped. It may also take us for its proxy: absolute-form targets are what they name. CONNECT is refused, since
 * what we cannot see we cannot put a key on.
 */
import { type Denial, type GateInput, isDenial, type Permit } from "../gate/decision.ts";
import type { Gate } from "../gate/gate.ts";
import { isOwnDenial } from "../gate/own.ts";
import type { Exchange, ExchangeHandler } from "../http/exchange.ts";
import { recordUnread, replyRecorded } from "../http/recorded-answer.ts";
import { EGRESS_FIELD, EGRESS_FIELD_VALUE } from "../model/egress-names.ts";
import type { Log } from "../model/ports.ts";
import { spansOf, traceresponseOf } from "../telemetry/traces/request-trace.ts";
import { getAllFields } from "../wire/fields.ts";
import { requestFields } from "./egress-fields.ts";
import { EgressForwarding, type EgressForwardingDeps } from "./egress-forwarding.ts";
import type { EgressDoor } from "./egress-gate.ts";
import { egressProblem } from "./egress-problem.ts";
import type { EgressRoute } from "./egress-route.ts";
import type { HeldKey } from "./held-key.ts";
import { KeyFault } from "./key-fault.ts";
import { SentKey } from "./sent-key.ts";

export interface EgressHandlerDeps extends EgressForwardingDeps {
  readonly gate: Gate;
  readonly log: Log;
  /** By the name of the listener. */
  readonly doors: ReadonlyMap<string, EgressDoor>;
  /** By the name of the service. */
  readonly routes: ReadonlyMap<string, EgressRoute>;
  readonly newTraceparent: () => string;
}

export function createEgressHandler(deps: EgressHandlerDeps): ExchangeHandler {
  const doorOf = (listener: string): EgressDoor => {
    const door = deps.doors.get(listener);
    if (door === undefined) throw new TypeError(`the listener ${listener} is none of egress`);
    return door;
  };
  return {
    request(exchange) {
      const door = doorOf(exchange.connection.listener);
      const input = inputOf(exchange, deps);
      if (door.asksForField && !hasField(exchange)) {
        return refuse(withoutField(input, door, deps), exchange, deps);
      }
      const outcome = deps.gate.decide(input, door.snapshot);
      if (outcome instanceof Promise) {
        settle(
          outcome.then((settled) => answer(settled, { exchange, door, deps })),
          exchange,
          deps,
        );
        return;
      }
      const waiting = answer(outcome, { exchange, door, deps });
      if (waiting !== undefined) settle(waiting, exchange, deps);
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
        doorOf(connection.listener).snapshot,
        { reason, detail },
      );
      const { decisionId, trace } = denial;
      const told = reason === "not-implemented" ? { detail: NO_TUNNELS } : {};
      const problem = egressProblem(denial.denied, undefined, { decisionId, trace, ...told });
      problem.fields.push(...traceresponseOf(trace));
      const { audit, clock } = deps;
      recordUnread({ ...denial, ...problem }, { audit, clock, receivedAt });
      return problem;
    },
  };
}

/** Of what never became a request. */
const NOTHING_READ = Object.freeze({ fields: Object.freeze([]) });

const NO_TUNNELS =
  "No CONNECT, TRACE or transfer coding other than chunked. A request that is tunnelled cannot be given a key: ask for the service by an http: URL through this proxy; it goes on by TLS.";

function inputOf(exchange: Exchange, { tracing }: EgressHandlerDeps): GateInput {
  const { head, connection } = exchange;
  const { listener, scheme, peer } = connection;
  return { head, listener, scheme, peer, connection, trace: tracing?.begin(exchange) };
}

function hasField({ head }: Exchange): boolean {
  const [value, ...more] = getAllFields(head.fields, EGRESS_FIELD);
  return value === EGRESS_FIELD_VALUE && more.length === 0;
}

function withoutField(
  input: GateInput,
  { snapshot }: EgressDoor,
  { gate }: EgressHandlerDeps,
): Denial {
  const own = gate.own(input, snapshot);
  return isOwnDenial(own) ? own : own.conclude({ reason: "missing-egress-field" });
}

interface Given {
  readonly exchange: Exchange;
  readonly door: EgressDoor;
  readonly deps: EgressHandlerDeps;
}

/** A promise where a key has to be waited for. */
function answer(outcome: Permit | Denial, given: Given): Promise<void> | undefined {
  if (isDenial(outcome)) {
    refuse(outcome, given.exchange, given.deps);
    return undefined;
  }
  const route = routeOf(outcome, given);
  const key = route.keeper.current();
  if (key instanceof Promise) return key.then((had) => forward(outcome, had, { ...given, route }));
  forward(outcome, key, { ...given, route });
  return undefined;
}

function routeOf({ route }: Permit, { door, deps }: Given): EgressRoute {
  const found = deps.routes.get(door.services.get(route) ?? "");
  if (found === undefined) throw new TypeError(`${route.name} has no way to its service`);
  return found;
}

function forward(
  permit: Permit,
  key: HeldKey | KeyFault,
  { exchange, route, deps }: Given & { readonly route: EgressRoute },
): void {
  const forwarding = new EgressForwarding(permit, { exchange, route, deps });
  if (key instanceof KeyFault) return withoutKey(key, forwarding, exchange);
  const { request, websocketKey } = permit;
  const { method, path, query } = request;
  route.upstream.forward(
    exchange,
    {
      method,
      target: query === undefined ? path : `${path}?${query}`,
      fields: requestFields(permit, { host: route.host, newTraceparent: deps.newTraceparent }),
      credentials: new SentKey(key, route, { method, path }),
      connectTimeoutMs: route.connectTimeoutMs,
      responseTimeoutMs: route.responseTimeoutMs,
      totalTimeoutMs: route.totalTimeoutMs,
      idleTimeoutMs: route.idleTimeoutMs,
      lifetimeMs: route.lifetimeMs,
      spans: spansOf(permit.trace)?.attempts({ method, path, service: permit.route.service }),
      // The listener bounds it.
      maxBodyBytes: Number.MAX_SAFE_INTEGER,
      websocketKey,
    },
    forwarding,
  );
}

/** Nothing goes to a service without one. */
function withoutKey(
  { reason, detail }: KeyFault,
  forwarding: EgressForwarding,
  exchange: Exchange,
): void {
  const { gone } = exchange;
  const { status, fields, body } = forwarding.fault(reason);
  exchange.reply(status, fields, body);
  forwarding.done({
    upstream: undefined,
    status: gone ? 0 : status,
    requestBytes: 0,
    responseBytes: gone ? 0 : Buffer.byteLength(body),
    upstreamMs: undefined,
    end: gone ? "caller-gone" : reason,
    detail,
  });
}

function refuse(denial: Denial, exchange: Exchange, deps: EgressHandlerDeps): void {
  const { denied, decisionId, trace, allow, recorded } = denial;
  const problem = egressProblem(denied, exchange.head, { decisionId, trace, allow });
  replyRecorded(exchange, { ...problem, decisionId, trace, recorded }, deps);
}

/** What fails here is the answer, and nobody else would catch it: the whole process would end. */
function settle(waiting: Promise<void>, exchange: Exchange, { log }: EgressHandlerDeps): void {
  waiting.catch((error: unknown) => {
    log.error("a request could not be answered", {
      error: error instanceof Error ? error : new Error(String(error)),
    });
    giveUp(exchange);
  });
}

/** The caller must not hang: it gets a 500, or sees its answer cut short where one was begun. */
function giveUp(exchange: Exchange): void {
  try {
    exchange.reply(500, [], "", { close: true });
  } catch {
    exchange.stream.abort();
  }
}
