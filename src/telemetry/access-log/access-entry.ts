/** One request that ended: what its decision and its completion say, under names that stay. */
import type { CompletionLine, DecisionLine } from "../../model/record-feed.ts";

/** In the order in which they are written. docs/logs.md says what each is. */
export const ACCESS_FIELDS = [
  "time",
  "status",
  "decision",
  "reason",
  "end",
  "method",
  "host",
  "path",
  "query",
  "httpVersion",
  "principal",
  "clientAddress",
  "listener",
  "route",
  "service",
  "upstream",
  "requestBytes",
  "responseBytes",
  "durationMs",
  "upstreamMs",
  "grpcStatus",
  "decisionId",
  "requestId",
  "trace",
] as const;

export type AccessField = (typeof ACCESS_FIELDS)[number];
export type AccessEntry = { readonly [Field in AccessField]?: string | number | undefined };

/** Of a decision, what its line will need; plain data, so that it can be kept over a restart. */
export interface AccessDecision extends AccessEntry {
  readonly decisionId: string;
}

/** Undefined where no request of its own ends with it: of open streams, and of what others asked about. */
export function accessDecision(line: DecisionLine): AccessDecision | undefined {
  if (line.stream !== undefined || line.asked !== undefined) return undefined;
  return {
    time: line.time,
    decision: line.decision,
    reason: line.reason,
    method: line.method,
    host: line.host,
    path: line.path,
    query: line.query,
    httpVersion: line.httpVersion,
    principal: nameOf(line.principal),
    clientAddress: line.clientAddress ?? line.peerAddress,
    listener: line.listener,
    route: line.route,
    service: line.service,
    decisionId: line.decisionId,
    requestId: line.requestId,
    trace: line.trace,
  };
}

function nameOf(principal: DecisionLine["principal"]): string | undefined {
  if (principal === undefined || principal.kind === "anonymous") return undefined;
  return `${principal.authenticator}/${principal.subject}`;
}

/**
 * All fields in their order, so that it can be written as it stands; undefined where there is none.
 * `decision`: undefined where it is not known any more.
 */
export function accessEntry(
  decision: AccessDecision | undefined,
  completion: CompletionLine | undefined,
): AccessEntry {
  // Member by member: copies of objects took as long as all else that a line costs.
  return {
    time: decision?.time ?? completion?.time,
    status: completion?.status,
    decision: decision?.decision,
    reason: decision?.reason,
    end: completion?.end,
    method: decision?.method,
    host: decision?.host,
    path: decision?.path,
    query: decision?.query,
    httpVersion: decision?.httpVersion,
    principal: decision?.principal,
    clientAddress: decision?.clientAddress,
    listener: decision?.listener,
    route: decision?.route,
    service: decision?.service,
    upstream: completion?.upstream,
    requestBytes: completion?.requestBytes,
    responseBytes: completion?.responseBytes,
    durationMs: completion?.durationMs,
    upstreamMs: completion?.upstreamMs,
    grpcStatus: completion?.grpcStatus,
    decisionId: decision?.decisionId ?? completion?.decisionId,
    requestId: decision?.requestId,
    trace: decision?.trace,
  };
}
