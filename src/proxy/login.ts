/**
 * Our own endpoints for people in a browser, under `/.sallyport/` on listeners that serve them: `login`,
 * `callback/<name>`, `logout`, `logged-out`, and `backchannel-logout/<name>` for providers.
 *
 * They come before the routes. The path is compared as it was sent: any other spelling is a request like all
 * others, and no route takes it. Each answer is on record, with its reason, and never holds a token.
 */
import type { Exchange } from "../http/exchange.ts";
import { replyRecorded } from "../http/recorded-answer.ts";
import type { GateInput } from "../gate/decision.ts";
import type { Gate } from "../gate/gate.ts";
import { isOwnDenial, type OwnRequest } from "../gate/own.ts";
import type { GateSnapshot } from "../gate/snapshot.ts";
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import type { RequestHead } from "../model/http.ts";
import type { AuditLog } from "../model/records.ts";
import type { Clock, Counter, Family, Log, Metrics } from "../model/ports.ts";
import { type Reason, reasonInfo } from "../model/reason.ts";
import type { SharedMemory } from "../model/shared-memory.ts";
import { backchannelLogout } from "./login-backchannel.ts";
import type { Endpoint, LoginOutcome, LoginSnapshot } from "./login-call.ts";
import { callback } from "./login-callback.ts";
import { createLoginLimits } from "./login-limits.ts";
import { loggedOut, logout } from "./login-logout.ts";
import { failurePage } from "./login-pages.ts";
import { startLogin } from "./login-start.ts";
import { getField } from "../wire/fields.ts";
import type { Tracing } from "../telemetry/traces/tracing.ts";
import { isNavigation } from "../wire/navigation.ts";
import { problemResponse } from "./problem.ts";

export const OWN_PREFIX = "/.sallyport/";

export interface LoginDeps {
  readonly gate: Gate;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: AuditLog;
  readonly metrics: Metrics;
  readonly shared: SharedMemory;
  /** Undefined: these requests are part of no trace. */
  readonly tracing?: Tracing | undefined;
}

interface Place {
  readonly methods: readonly ("GET" | "POST")[];
  readonly endpoint: Endpoint;
  /** Whether the name of an authenticator follows. */
  readonly named: boolean;
  /**
   * Whether it is for a browser that goes to a page, and nobody else: an image or a frame of another site must
   * begin no login (it would push others out, and cost the provider requests), nor a script of our own.
   */
  readonly forPeople: boolean;
}

const PLACES: ReadonlyMap<string, Place> = new Map<string, Place>([
  ["login", { methods: ["GET"], endpoint: startLogin, named: false, forPeople: true }],
  ["callback", { methods: ["GET"], endpoint: callback, named: true, forPeople: true }],
  ["logout", { methods: ["GET", "POST"], endpoint: logout, named: false, forPeople: false }],
  ["logged-out", { methods: ["GET"], endpoint: loggedOut, named: false, forPeople: false }],
  [
    "backchannel-logout",
    { methods: ["POST"], endpoint: backchannelLogout, named: true, forPeople: false },
  ],
]);

export interface LoginEndpoints {
  /** Answers a request whose target begins with `OWN_PREFIX`. */
  handle(exchange: Exchange, snapshot: { gate: GateSnapshot; logins: LoginSnapshot }): void;
}

export function createLoginEndpoints(deps: LoginDeps): LoginEndpoints {
  const outcomes = deps.metrics.counter(
    "sallyport_login_outcomes_total",
    "What came of logins and logouts: logged-in, logged-out, login-begun, or why not.",
    ["authenticator", "outcome"],
  );
  const given = { shared: deps.shared, limits: createLoginLimits(deps) };
  return {
    handle(exchange, { gate, logins }) {
      const { head, connection } = exchange;
      const { listener, scheme, peer, trust } = connection;
      const trace = deps.tracing?.begin(exchange);
      const input: GateInput = { head, listener, scheme, peer, trust, connection, trace };
      const own = deps.gate.own(input, gate);
      if (isOwnDenial(own)) {
        const problem = problemResponse(own.denied, own);
        return replyRecorded(exchange, { ...problem, ...own }, deps);
      }
      const answered = (outcome: LoginOutcome): void => {
        answer(outcome, { own, exchange, deps, outcomes });
      };
      const found = placeOf(head.target, logins);
      if (found === undefined) return answered({ reason: "no-route" });
      const { place, login } = found;
      if (!(place.methods as readonly string[]).includes(head.method)) {
        return answered({ reason: "method-not-allowed" });
      }
      if (place.forPeople && !mayBeNavigation(head)) {
        const detail = "not a browser that goes to a page";
        return answered({ reason: "cross-site-request", detail, authenticator: login?.name });
      }
      const call = { own, exchange, gate, logins, deps: given, login };
      Promise.resolve()
        .then(() => place.endpoint(call))
        .catch((error: unknown): LoginOutcome => failed(error, deps.log))
        .then(answered)
        .catch((error: unknown) => {
          deps.log.error("a login could not be answered", { error: asError(error) });
          exchange.stream.abort();
        });
    },
  };
}

function placeOf(
  target: string,
  { byName }: LoginSnapshot,
): { readonly place: Place; readonly login: LoginAuthenticator | undefined } | undefined {
  const end = target.indexOf("?");
  const path = target.slice(OWN_PREFIX.length, end === -1 ? undefined : end);
  const [first = "", name, ...more] = path.split("/");
  const place = PLACES.get(first);
  if (place === undefined || more.length > 0 || place.named !== (name !== undefined)) {
    return undefined;
  }
  const login = name === undefined ? undefined : byName.get(name);
  return place.named && login === undefined ? undefined : { place, login };
}

/** Where a browser says nothing (Fetch Metadata), it may be one. */
function mayBeNavigation(head: RequestHead): boolean {
  return getField(head.fields, "sec-fetch-mode") === undefined || isNavigation(head);
}

/** The memory that workers share cannot be asked, or something is broken: nobody is logged in then. */
function failed(error: unknown, log: Log): LoginOutcome {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "memory-unavailable" || code === "memory-full") {
    return { reason: "overloaded", detail: `the shared memory: ${code}` };
  }
  log.error("a login failed inside the proxy", { error: asError(error) });
  return { reason: "internal-error", detail: "an error inside; the log has it" };
}

function answer(
  outcome: LoginOutcome,
  given: {
    readonly own: OwnRequest;
    readonly exchange: Exchange;
    readonly deps: LoginDeps;
    readonly outcomes: Family<Counter>;
  },
): void {
  const { own, exchange, deps, outcomes } = given;
  const denial = own.conclude(outcome);
  const { decisionId, trace, recorded, denied } = denial;
  outcomes.with(outcome.authenticator ?? "(none)", denied).inc();
  // What could not be recorded was not done: no cookie goes out for it.
  const told: LoginOutcome = denied === outcome.reason ? outcome : { reason: denied };
  const { status, fields, body } = responseTo(told, decisionId);
  replyRecorded(exchange, { status, fields, body, decisionId, trace, recorded }, deps);
}

function responseTo(outcome: LoginOutcome, decisionId: string) {
  const { reason, location, setCookies = [], json } = outcome;
  const status = outcome.status ?? (location === undefined ? pageStatus(reason) : 303);
  const page =
    outcome.page ??
    (location === undefined && json === undefined && status >= 400
      ? failurePage(reason, decisionId, outcome.again)
      : undefined);
  const fields = [
    "cache-control",
    "no-store",
    // A callback's address holds a code. Only our own form has to say where it comes from.
    "referrer-policy",
    outcome.referrer ?? "no-referrer",
    "sallyport-decision",
    decisionId,
    ...(page?.fields ?? []),
    ...(json === undefined ? [] : ["content-type", "application/json"]),
    ...(location === undefined ? [] : ["location", location]),
    ...(status === 401 ? ["www-authenticate", 'Bearer realm="sallyport"'] : []),
    ...(status === 405 ? ["allow", "GET, POST"] : []),
    ...(status === 503 || status === 429
      ? ["retry-after", String(Math.ceil((outcome.retryMs ?? RETRY_MS) / 1000))]
      : []),
    ...setCookies.flatMap((line) => ["set-cookie", line]),
  ];
  return { status, fields, body: page?.body ?? (json === undefined ? "" : JSON.stringify(json)) };
}

/** Where nobody has said when it is worth another try. */
const RETRY_MS = 5000;

/** A page that is shown and leads nowhere. */
function pageStatus(reason: Reason): number {
  const { status } = reasonInfo(reason);
  return status < 400 ? 200 : status;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
