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
export type AccessEntry = Readonly<Partial<Record<AccessField, string | number>>>;

/** Of a decision, what its line will need; plain data, so that it can be kept over a restart. */
export interface AccessDecision extends AccessEntry {
  readonly decisionId: string;
}

/** Undefined where no request of its own ends with it: of open streams, and of what others asked about. */
export function accessDecision(line: DecisionLine): AccessDecision | undefined {
  if (line.stream !== undefined || line.asked !== undefined) return undefined;
  const { principal } = line;
  return {
    time: line.time,
    decision: line.decision,
    reason: line.reason,
    ...(line.method === undefined ? {} : { method: line.method }),
    ...(line.host === undefined ? {} : { host: line.host }),
    ...(line.path === undefined ? {} : { path: line.path }),
    ...(line.query === undefined ? {} : { query: line.query }),
    ...(line.httpVersion === undefined ? {} : { httpVersion: line.httpVersion }),
    ...(principal === undefined || principal.kind === "anonymous"
      ? {}
      : { principal: `${principal.authenticator}/${principal.subject}` }),
    clientAddress: line.clientAddress ?? line.peerAddress,
    listener: line.listener,
    ...(line.route === undefined ? {} : { route: line.route }),
    ...(line.service === undefined ? {} : { service: line.service }),
    decisionId: line.decisionId,
    requestId: line.requestId,
    ...(line.trace === undefined ? {} : { trace: line.trace }),
  };
}

/** `decision`: undefined where it is not known any more. */
export function accessEntry(
  decision: AccessDecision | undefined,
  completion: CompletionLine | undefined,
): AccessEntry {
  if (completion === undefined) return { ...decision };
  const { status, end, upstream, requestBytes, responseBytes, durationMs, time } = completion;
  const { upstreamMs, grpcStatus, decisionId } = completion;
  return {
    time,
    decisionId,
    ...decision,
    status,
    end,
    ...(upstream === undefined ? {} : { upstream }),
    requestBytes,
    responseBytes,
    durationMs,
    ...(upstreamMs === undefined ? {} : { upstreamMs }),
    ...(grpcStatus === undefined ? {} : { grpcStatus }),
  };
}
