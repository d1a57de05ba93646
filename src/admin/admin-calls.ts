/**
 * Calls of the admin API behind one of the operators' doors: the API under `/v1/` for those that the gate
 * permits, each call recorded. Loaded only where somebody can call it (admin-options.ts): its schemas and
 * what routes by them are a fifteenth of a start.
 *
 * Refuses calls from pages of other origins before anything else is looked at; there are no cookies, so no
 * page has a credential to lend (a bearer token is added by hand).
 */
import { type Denial, isDenial, type Permit } from "../gate/decision.ts";
import { createGate, type Gate } from "../gate/gate.ts";
import type { GateSnapshot } from "../gate/snapshot.ts";
import type { GateDeps } from "../gate/step.ts";
import type { Exchange } from "../http/exchange.ts";
import { readWholeBody } from "../http/whole-body.ts";
import { createChallenge } from "../identity/challenge.ts";
import { ADMIN_ROUTE } from "../model/admin-operations.ts";
import type { Fields } from "../model/http.ts";
import { parseJsonBytes } from "../model/json.ts";
import type { Reason } from "../model/reason.ts";
import { NO_REVOCATIONS } from "../model/revocation.ts";
import { endTrace } from "../telemetry/traces/ended-trace.ts";
import { spansOf, traceresponseOf } from "../telemetry/traces/request-trace.ts";
import type { EndedRequest } from "../telemetry/traces/span-attributes.ts";
import { parseAuthority } from "../wire/authority.ts";
import { getAllFields } from "../wire/fields.ts";
import { isIdentityCoded, isJsonType } from "../wire/media-type.ts";
import type { AdminDeps } from "./admin-deps.ts";
import { type AdminSnapshots, operationOf } from "./admin-gate.ts";
import type { AdminDoor } from "./admin-options.ts";
import { type ApiAnswer, JSON_TYPE, type PermittedCall } from "./call.ts";
import { EVALUATION_PATH, EVALUATIONS_PATH } from "./evaluations.ts";
import { createOperations } from "./operations.ts";
import { AdminProblem, denialDocument, problemAnswer } from "./problem.ts";

const LIMITS = {
  /** Bytes of a request body: the largest is a revocation, of some hundred. */
  bodyBytes: 64 * 1024,
} as const;

export interface AdminCallsDeps extends AdminDeps {
  /** What the gates of both doors are made of. */
  readonly gate: GateDeps;
  /** What the gate decides by now; a reload makes another. */
  readonly snapshots: () => AdminSnapshots | undefined;
  /** Told of every permitted call that has been answered. */
  readonly completed?: (route: string, outcome: AnsweredCall) => void;
}

/** How a permitted call ended, as requests are counted. */
export interface AnsweredCall {
  readonly status: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly upstreamMs: undefined;
  readonly durationMs: number;
  readonly end: "complete" | Reason;
}

/** The admin API behind one door. */
export interface AdminCalls {
  /** Whether anybody may call by the configuration in force. */
  readonly open: boolean;
  answer(exchange: Exchange): void;
  /** AuthZEN's metadata. */
  answerMetadata(exchange: Exchange): void;
}

export function createAdminCalls(deps: AdminCallsDeps, door: AdminDoor): AdminCalls {
  return new Calls(deps, door);
}

class Calls implements AdminCalls {
  readonly #deps: AdminCallsDeps;
  readonly #door: AdminDoor;
  readonly #api: ReturnType<typeof createOperations>;
  readonly #gate: Gate;
  readonly #challenge = createChallenge(ADMIN_ROUTE);

  constructor(deps: AdminCallsDeps, door: AdminDoor) {
    this.#deps = deps;
    this.#door = door;
    this.#api = createOperations(deps);
    // The socket's caller has no credential that could be revoked, and is who has to look when the
    // feed is stale: that must not shut this door.
    const { gate } = deps;
    this.#gate = createGate(door === "socket" ? { ...gate, revocations: NO_REVOCATIONS } : gate);
  }

  get open(): boolean {
    return this.#snapshot !== undefined;
  }

  answerMetadata(exchange: Exchange): void {
    answerMetadata(exchange, this.#deps);
  }

  answer(exchange: Exchange): void {
    const { head, connection } = exchange;
    const snapshot = this.#snapshot;
    if (snapshot === undefined) throw new TypeError("a door without a snapshot");
    if (!this.#isOwnOrigin(exchange)) {
      send(exchange, problemAnswer(new AdminProblem("foreign-origin").document()));
      return;
    }
    const { listener, scheme, peer, trust } = connection;
    const trace = this.#deps.gate.tracing?.begin(exchange);
    const outcome = this.#gate.decide(
      { head, listener, scheme, peer, trust, connection, trace },
      snapshot,
    );
    if (!(outcome instanceof Promise)) {
      this.#decided(outcome, exchange);
      return;
    }
    outcome.then((settled) => this.#decided(settled, exchange)).catch(this.#failed(exchange));
  }

  get #snapshot(): GateSnapshot | undefined {
    return this.#deps.snapshots()?.[this.#door];
  }

  #isOwnOrigin({ head, connection }: Exchange): boolean {
    const origins = getAllFields(head.fields, "origin");
    if (origins.length === 0) return true;
    const own = `${connection.scheme}://${head.host ?? ""}`.toLowerCase();
    return this.#door === "address" && origins.length === 1 && origins[0]?.toLowerCase() === own;
  }

  #decided(outcome: Permit | Denial, exchange: Exchange): void {
    if (isDenial(outcome)) this.#refuse(outcome, exchange);
    else this.#permitted(outcome, exchange);
  }

  #refuse(denial: Denial, exchange: Exchange): void {
    const { denied, decisionId, trace, recorded, allow } = denial;
    const fields: [string, string][] = [];
    const challenge = this.#challenge(denied);
    if (challenge !== undefined) fields.push(["www-authenticate", challenge]);
    if (allow !== undefined && denied !== "no-route") fields.push(["allow", allow]);
    fields.push(...echoed(exchange, denial));
    const document = denialDocument(denied, decisionId);
    if (document.status === 429 || document.status === 503) fields.push(["retry-after", "5"]);
    const answer =
      document.status === 204 ? { status: 204, fields, body: "" } : problemAnswer(document, fields);
    const bytes = sent(exchange, answer, decisionId);
    spansOf(trace)?.end({ status: answer.status, responseBytes: bytes, end: "complete" });
    if (recorded) this.#complete(decisionId, exchange, { status: answer.status, bytes });
  }

  #permitted(permit: Permit, exchange: Exchange): void {
    const gone = (): void => {
      exchange.whenOver = undefined;
      const how = { status: 0, bytes: 0, end: "caller-gone" } as const;
      this.#endTrace(permit, exchange, { status: 0, end: how.end });
      this.#complete(permit.decisionId, exchange, { ...how, permitted: true });
    };
    if (exchange.gone) {
      gone();
      return;
    }
    exchange.whenOver = gone;
    if (exchange.head.bodyKind === "none") {
      this.#run(permit, exchange, undefined);
      return;
    }
    readWholeBody(exchange, LIMITS.bodyBytes, ({ bytes, fault }) => {
      if (fault === undefined) this.#run(permit, exchange, bytes);
      else this.#end(permit, exchange, bodyProblem(fault));
    });
  }

  #run(permit: Permit, exchange: Exchange, received: Buffer | undefined): void {
    const { request, route, principal, decisionId } = permit;
    // An empty body is none.
    const body = received?.length === 0 ? undefined : received;
    const unfit = body && bodyFault(exchange, body);
    if (unfit !== undefined) {
      this.#end(permit, exchange, problemAnswer(unfit.document(decisionId)));
      return;
    }
    const { query } = request;
    const call = {
      operation: operationOf(route),
      principal,
      decision: decisionId,
      requestId: permit.requestId,
      listener: request.listener,
      peer: { address: request.clientAddress, port: request.peer.port },
      method: request.method,
      target: query === undefined ? request.path : `${request.path}?${query}`,
      ...seenOf(exchange.head.fields, body),
    };
    this.#api
      .answer(call)
      .then((answer) => this.#end(permit, exchange, answer, body?.length))
      .catch(this.#failed(exchange));
  }

  #end(permit: Permit, exchange: Exchange, answer: ApiAnswer, requestBytes = 0): void {
    if (exchange.gone) return; // `whenOver` has said so
    exchange.whenOver = undefined;
    const { decisionId } = permit;
    const fields = [...answer.fields, ...echoed(exchange, permit)];
    const bytes = sent(exchange, { ...answer, fields }, decisionId);
    const how = { status: answer.status, bytes, requestBytes, permitted: true };
    const { status } = answer;
    const ended = { status, requestBytes, responseBytes: bytes, end: "complete" } as const;
    this.#endTrace(permit, exchange, ended);
    this.#complete(decisionId, exchange, how);
  }

  #endTrace(permit: Permit, { receivedAt: startedAt }: Exchange, ended: EndedRequest): void {
    endTrace(permit.trace, ended, { permit, startedAt, tracing: this.#deps.gate.tracing });
  }

  #complete(
    decisionId: string,
    { receivedAt }: Exchange,
    how: {
      readonly status: number;
      readonly bytes: number;
      readonly requestBytes?: number;
      readonly end?: Reason;
      readonly permitted?: boolean;
    },
  ): void {
    const { clock, gate, completed } = this.#deps;
    const outcome = {
      status: how.status,
      requestBytes: how.requestBytes ?? 0,
      responseBytes: how.bytes,
      upstreamMs: undefined,
      end: how.end ?? ("complete" as const),
    };
    const durationMs = clock.monotonic() - receivedAt;
    gate.audit.completion({
      ...outcome,
      timeMs: clock.now(),
      decisionId,
      upstream: undefined,
      durationMs,
    });
    // What was denied is counted by the gate.
    if (how.permitted === true) completed?.(ADMIN_ROUTE, { ...outcome, durationMs });
  }

  /** The caller must not hang, and nobody else would catch it: the whole process would end. */
  #failed(exchange: Exchange): (error: unknown) => void {
    return (error) => {
      this.#deps.log.error("a call of the admin API could not be answered", {
        error: error instanceof Error ? error : new Error(String(error)),
      });
      try {
        exchange.whenOver = undefined;
        send(exchange, problemAnswer(new AdminProblem("internal-error").document()));
      } catch {
        exchange.stream.abort();
      }
    };
  }
}

/** What operations may see of fields and body: never the credential. */
function seenOf(fields: Fields, body: Buffer | undefined): Pick<PermittedCall, "fields" | "body"> {
  const text = body?.toString("utf8");
  const seen = SEEN.flatMap((name) => {
    const values = getAllFields(fields, name);
    return values.length === 0 ? [] : [[name, values.join(", ")] as const];
  });
  // One that was looked at already, in the one spelling that needs no second look.
  const type = text === undefined ? [] : [["content-type", JSON_TYPE] as const];
  return { fields: [...seen, ...type], body: text };
}

const SEEN = ["if-match", "idempotency-key"] as const;

/** A body that would be read in two ways, here and elsewhere, is not taken (RFC 8259 section 4). */
function bodyFault({ head }: Exchange, body: Buffer): AdminProblem | undefined {
  const types = getAllFields(head.fields, "content-type");
  const codings = getAllFields(head.fields, "content-encoding");
  if (!isJsonType(types) || !isIdentityCoded(codings)) {
    return new AdminProblem("unsupported-media-type");
  }
  try {
    parseJsonBytes(body);
    return undefined;
  } catch (error) {
    return new AdminProblem("malformed-body", error instanceof SyntaxError ? error.message : "");
  }
}

function bodyProblem(fault: Reason): ApiAnswer {
  if (fault === "body-too-large") {
    return problemAnswer(new AdminProblem("body-too-large").document());
  }
  return problemAnswer(new AdminProblem("malformed-body", fault).document());
}

/** The id of a request that brought one (AuthZEN 1.0, section 10.1.3): as it is in the log; and its trace. */
function echoed({ head }: Exchange, { requestId, trace }: Permit | Denial): [string, string][] {
  const pairs: [string, string][] = [];
  if (getAllFields(head.fields, "x-request-id").length > 0) pairs.push(["x-request-id", requestId]);
  const [name, value] = traceresponseOf(trace);
  if (name !== undefined && value !== undefined) pairs.push([name, value]);
  return pairs;
}

/** The bytes of the answer's body; 0 where nobody is there to have it. */
function sent(exchange: Exchange, answer: ApiAnswer, decisionId: string): number {
  if (exchange.gone) return 0;
  send(exchange, { ...answer, fields: [...answer.fields, ["sallyport-decision", decisionId]] });
  return Buffer.byteLength(answer.body);
}

function send(exchange: Exchange, { status, fields, body }: ApiAnswer): void {
  exchange.reply(status, [...fields.flat(), "cache-control", "no-store"], body);
}

/** Where questions are asked, for whoever has reached this door by the name that he used. */
function answerMetadata(exchange: Exchange, { evaluations }: AdminDeps): void {
  const { head, connection } = exchange;
  const authority = head.host === undefined ? undefined : parseAuthority(head.host);
  if (head.method !== "GET" || authority === undefined || evaluations === undefined) {
    send(exchange, problemAnswer(new AdminProblem("not-here").document()));
    return;
  }
  const origin = `${connection.scheme}://${authority.text}`;
  const metadata = {
    policy_decision_point: origin,
    access_evaluation_endpoint: origin + EVALUATION_PATH,
    access_evaluations_endpoint: origin + EVALUATIONS_PATH,
  };
  send(exchange, {
    status: 200,
    fields: [["content-type", JSON_TYPE]],
    body: `${JSON.stringify(metadata)}\n`,
  });
}
