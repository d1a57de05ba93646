/**
 * Our own endpoints for clients: `/.sallyport/token`, `/.sallyport/introspect`, `/.sallyport/revoke`, and
 * what RFC 8414 says of them, on listeners that serve them.
 *
 * They come before the routes. The path is compared as it was sent: any other spelling is a request like all
 * others, and no route takes it. Each answer is on record before it leaves, and none may be kept
 * (`cache-control: no-store`); only the metadata is public, and recorded nowhere.
 */
import type { Denial, GateInput } from "../../gate/decision.ts";
import type { Gate } from "../../gate/gate.ts";
import { isOwnDenial, type OwnRequest } from "../../gate/own.ts";
import type { GateSnapshot } from "../../gate/snapshot.ts";
import type { Exchange } from "../../http/exchange.ts";
import { replyRecorded } from "../../http/recorded-answer.ts";
import type { Fields } from "../../model/http.ts";
import { ISSUE_KEY_ACTION } from "../../model/issued-keys.ts";
import type { Metrics } from "../../model/ports.ts";
import { isGranted, type Reason, reasonInfo } from "../../model/reason.ts";
import { createKeyIds } from "./key-ids.ts";
import { type Form, takeForm } from "./form.ts";
import { introspect } from "./introspection-endpoint.ts";
import { revoke } from "./revocation-endpoint.ts";
import {
  ENDPOINT_PATHS,
  isMetadataPath,
  SERVER_METADATA_PATH,
  serverMetadata,
} from "./server-metadata.ts";
import type { TokenAnswer, TokenCall, TokenDeps, TokenSnapshot } from "./token-call.ts";
import { giveKey } from "./token-endpoint.ts";
import { registerTokenFigures } from "./token-figures.ts";
import { errorFor, TokenFault } from "./token-fault.ts";

const LIMITS = {
  /** Seconds after which it is worth another try, where that is not our fault alone. */
  retrySeconds: 5,
  /** Seconds that a client may keep the metadata: it changes with the configuration. */
  metadataSeconds: 300,
} as const;

export interface TokenEndpointsDeps extends Omit<TokenDeps, "figures" | "newId"> {
  readonly random: (bytes: number) => Uint8Array;
  readonly gate: Gate;
  readonly metrics: Metrics;
}

export interface TokenEndpoints {
  /** Whether it is for one of them: then it is answered. */
  handle(
    exchange: Exchange,
    snapshot: { readonly gate: GateSnapshot; readonly tokens: TokenSnapshot },
  ): boolean;
}

type Endpoint = (call: TokenCall, form: Form) => Promise<TokenAnswer | TokenFault>;

const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  [ENDPOINT_PATHS.token, giveKey],
  [ENDPOINT_PATHS.introspect, introspect],
  [ENDPOINT_PATHS.revoke, revoke],
]);

export function createTokenEndpoints(options: TokenEndpointsDeps): TokenEndpoints {
  const figures = registerTokenFigures(options.metrics);
  const deps: Deps = { ...options, figures, newId: createKeyIds(options.random) };
  return {
    handle(exchange, { gate, tokens }) {
      const { head, connection } = exchange;
      const origin = tokens.origins.get(connection.listener);
      if (origin === undefined) return false;
      const end = head.target.indexOf("?");
      const path = end === -1 ? head.target : head.target.slice(0, end);
      if (path.startsWith(SERVER_METADATA_PATH))
        return answerMetadata(exchange, path, tokens, deps);
      const endpoint = ENDPOINTS.get(path);
      if (endpoint === undefined) return false;
      const { listener, scheme, peer, trust } = connection;
      const trace = deps.tracing?.begin(exchange);
      const input: GateInput = { head, listener, scheme, peer, trust, connection, trace };
      const own = deps.gate.own(input, gate);
      const around = { exchange, deps, path };
      if (isOwnDenial(own)) {
        const error = errorFor(own.denied, "invalid_request");
        const fault = new TokenFault(error, reasonInfo(own.denied).title, { reason: own.denied });
        send(around, own, faultAnswer(fault));
        return true;
      }
      const call: TokenCall = { own, exchange, tokens, deps, origin, path };
      answerCall(call, endpoint)
        .then(async (answer) => await conclude(own, answer, around))
        // Nobody else would catch it, and the whole process would end.
        .catch((error: unknown) => {
          deps.log.error("a request for a key could not be answered", { error: asError(error) });
          exchange.stream.abort();
        });
      return true;
    },
  };
}

interface Deps extends TokenDeps {
  readonly gate: Gate;
}

interface Around {
  readonly exchange: Exchange;
  readonly deps: Deps;
  readonly path: string;
}

async function answerCall(call: TokenCall, endpoint: Endpoint): Promise<TokenAnswer | TokenFault> {
  try {
    if (call.own.budgetSpent) {
      const options = { reason: "too-many-failures" } as const;
      return new TokenFault("temporarily_unavailable", "too many failures of late", options);
    }
    const form = await takeForm(call.exchange);
    return form instanceof TokenFault ? form : await endpoint(call, form);
  } catch (error) {
    call.deps.log.error("a token endpoint failed", { error: asError(error) });
    const options = {
      reason: "internal-error",
      detail: "an error inside; the log has it",
    } as const;
    return new TokenFault("server_error", "an error inside", options);
  }
}

/** Records what came of it, and only then answers: a key that is on no record is never seen by anybody. */
async function conclude(
  own: OwnRequest,
  answer: TokenAnswer | TokenFault,
  around: Around,
): Promise<void> {
  const fault = answer instanceof TokenFault;
  if (fault && answer.costly) own.charge();
  const { reason, detail, principal } = answer;
  const action = around.path === ENDPOINT_PATHS.token ? ISSUE_KEY_ACTION : undefined;
  const denial = own.conclude(
    fault ? { reason, detail, principal, action } : { ...answer, action },
  );
  const told = denial.denied === reason ? await onDisk(own, reason) : denial.denied;
  if (told === reason)
    return send(around, denial, fault ? faultAnswer(answer) : goodAnswer(answer));
  const error = errorFor(told, "server_error");
  send(
    around,
    denial,
    faultAnswer(new TokenFault(error, "it cannot be recorded", { reason: told })),
  );
}

/** A key waits until its record is in the file; with strict durability all that was granted, until it is on the disk. */
async function onDisk(own: OwnRequest, reason: Reason): Promise<Reason> {
  if (!isGranted(reason)) return reason;
  try {
    await own.durable();
    return reason;
  } catch {
    return "audit-unavailable";
  }
}

interface Written {
  readonly status: number;
  readonly fields: Fields;
  readonly body: string;
  /** For the figures. */
  readonly outcome: string;
}

function goodAnswer({ json, fields = [], key }: TokenAnswer): Written {
  const body = json === undefined ? "" : JSON.stringify(json);
  const outcome = key === undefined ? "answered" : "issued";
  const type = json === undefined ? [] : ["content-type", "application/json"];
  return { status: 200, fields: [...type, ...fields], body, outcome };
}

function faultAnswer(fault: TokenFault): Written {
  const { error, description, status, fields } = fault;
  const again =
    status === 429 || status === 503 ? ["retry-after", String(LIMITS.retrySeconds)] : [];
  return {
    status,
    fields: ["content-type", "application/json", ...again, ...fields],
    body: JSON.stringify({ error, error_description: description }),
    outcome: error,
  };
}

function send(
  { exchange, deps, path }: Around,
  { decisionId, trace, recorded }: Pick<Denial, "decisionId" | "trace" | "recorded">,
  { status, fields, body, outcome }: Written,
): void {
  const endpoint = path.slice(path.lastIndexOf("/") + 1);
  deps.figures.outcomes.with(endpoint, outcome).inc(1, decisionId);
  const seconds = (deps.clock.monotonic() - exchange.receivedAt) / 1000;
  deps.figures.seconds.with(endpoint).observe(seconds, decisionId);
  const always = ["cache-control", "no-store", "pragma", "no-cache"];
  const whole = [...always, "sallyport-decision", decisionId, ...fields];
  const answer = { status, fields: whole, body, decisionId, trace, recorded };
  replyRecorded(exchange, answer, deps);
}

/** For everybody, so there is no decision to record. */
function answerMetadata(
  exchange: Exchange,
  path: string,
  tokens: TokenSnapshot,
  { issuing, figures }: Pick<TokenDeps, "issuing" | "figures">,
): boolean {
  const { issuer } = issuing;
  if (!isMetadataPath(path, issuer)) return false;
  const { method } = exchange.head;
  if (method !== "GET" && method !== "HEAD") {
    exchange.reply(405, ["allow", "GET, HEAD"], "");
    return true;
  }
  figures.outcomes.with("metadata", "answered").inc();
  const { listener } = exchange.connection;
  const caching = `public, max-age=${LIMITS.metadataSeconds}`;
  const fields = ["content-type", "application/json", "access-control-allow-origin", "*"];
  fields.push("cache-control", caching);
  exchange.reply(200, fields, JSON.stringify(serverMetadata(tokens, { issuer, listener })));
  return true;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
