/** A record of the audit log as a log record of OTLP, with the names of the semantic conventions where they have one. */
import { otlpAttributes, type OtlpAttribute, type OtlpInput, unixNano } from "../../model/otlp.ts";
import type {
  CompletionLine,
  DecisionLine,
  EventLine,
  PrincipalLine,
} from "../../model/record-feed.ts";
import type { SinkRecord } from "./sink.ts";

/** SeverityNumber of the logs data model; the first of each range. */
const SEVERITY = { INFO: 9, WARN: 13, ERROR: 17 } as const;
type Severity = keyof typeof SEVERITY;

export interface OtlpLogRecord {
  readonly timeUnixNano: string;
  readonly observedTimeUnixNano: string;
  readonly severityNumber: number;
  readonly severityText: Severity;
  readonly eventName: string;
  readonly body: { readonly stringValue: string };
  readonly attributes: readonly OtlpAttribute[];
  /** 32 hexadecimal digits. */
  readonly traceId?: string;
}

/** The body is the line as it was written: its hash is the leaf that proofs are about. */
export function otlpLogRecord({ id, line, entry }: SinkRecord, observedMs: number): OtlpLogRecord {
  const severityText = severityOf(entry);
  const trace = entry.type === "decision" ? entry.trace : undefined;
  return {
    timeUnixNano: unixNano(timeOf(entry.time, observedMs)),
    observedTimeUnixNano: unixNano(observedMs),
    severityNumber: SEVERITY[severityText],
    severityText,
    eventName: `sallyport.${entry.type}`,
    body: { stringValue: line },
    attributes: otlpAttributes({ "log.record.uid": id, ...membersOf(entry) }),
    ...(trace !== undefined && TRACE.test(trace) ? { traceId: trace } : {}),
  };
}

/** An id of zeros is none (W3C Trace Context section 3.2.2.3). */
const TRACE = /^(?!0{32})[0-9a-f]{32}$/;

function timeOf(text: string, otherwise: number): number {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? otherwise : ms;
}

function severityOf(entry: SinkRecord["entry"]): Severity {
  if (entry.type === "decision") return entry.decision === "permit" ? "INFO" : "WARN";
  if (entry.type === "completion") return entry.status >= 500 ? "ERROR" : "INFO";
  return entry.type === "event" ? "WARN" : "INFO";
}

type Members = Readonly<Record<string, OtlpInput | undefined>>;

function membersOf(entry: SinkRecord["entry"]): Members {
  if (entry.type === "decision") return decisionMembers(entry);
  if (entry.type === "completion") return completionMembers(entry);
  return entry.type === "event" ? eventMembers(entry) : {};
}

function decisionMembers(entry: DecisionLine): Members {
  const { principal } = entry;
  return {
    "sallyport.decision.id": entry.decisionId,
    "sallyport.decision": entry.decision,
    "sallyport.reason": entry.reason,
    "sallyport.listener": entry.listener,
    "sallyport.route": entry.route,
    "sallyport.service": entry.service,
    "sallyport.action": entry.action,
    "sallyport.determining": entry.determining,
    "sallyport.principal": nameOf(principal),
    "sallyport.principal.kind": principal?.kind,
    "sallyport.request.id": entry.requestId,
    "http.request.method": entry.method,
    "url.path": entry.path,
    "url.query": entry.query,
    "server.address": entry.host,
    "client.address": entry.clientAddress ?? entry.peerAddress,
    "network.peer.address": entry.peerAddress,
    "network.protocol.version": entry.httpVersion,
  };
}

/** Somebody without an identity has no name. */
function nameOf(principal: PrincipalLine | undefined): string | undefined {
  if (principal === undefined || principal.kind === "anonymous") return undefined;
  return `${principal.authenticator}/${principal.subject}`;
}

function completionMembers(entry: CompletionLine): Members {
  return {
    "sallyport.decision.id": entry.decisionId,
    "sallyport.end": entry.end,
    "sallyport.upstream": entry.upstream,
    "sallyport.duration_ms": entry.durationMs,
    "sallyport.upstream_ms": entry.upstreamMs,
    "http.response.status_code": entry.status,
    "http.request.body.size": entry.requestBytes,
    "http.response.body.size": entry.responseBytes,
    "rpc.grpc.status_code": entry.grpcStatus,
  };
}

function eventMembers(entry: EventLine): Members {
  return {
    "sallyport.event": entry.event,
    "sallyport.principal": entry.principal,
    "client.address": entry.address,
    "sallyport.decisions": entry.decisions,
  };
}
