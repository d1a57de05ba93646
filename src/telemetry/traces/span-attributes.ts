/**
 * What spans say, in the words of OpenTelemetry's semantic conventions for HTTP and RPC. Of a request
 * nothing is in it that its record would not hold: of a query the names alone, no field (so no
 * `user_agent.original` either), no body, and its path only where it could be read in one way.
 */
import { maskApiKeys } from "../../crypto/api-key-text.ts";
import type { CanonicalRequest, Peer, RequestHead, TrustProxy } from "../../model/http.ts";
import { type Principal, principalId } from "../../model/principal.ts";
import { GRPC_STATUS } from "../../model/grpc-status.ts";
import { isGranted, type Reason, reasonInfo } from "../../model/reason.ts";
import { METHODS } from "../../model/vocabulary.ts";
import { isGrpcCall } from "../../wire/grpc/call.ts";
import { unreadCaller } from "../../wire/forwarded-client.ts";
import { maskQuery } from "../../wire/masked-query.ts";
import type { SpanAttributes } from "./span.ts";

const LIMITS = {
  /** Characters of one value that a caller chose: a path can be as long as a head. */
  text: 1024,
} as const;

/** What the gate knows of a request when it has decided. */
export interface DecidedRequest {
  readonly id: string;
  readonly input: {
    readonly head: RequestHead;
    readonly listener: string;
    readonly scheme: "http" | "https";
    readonly peer: Peer;
    readonly trust?: TrustProxy | undefined;
  };
  readonly request: CanonicalRequest | undefined;
  readonly route:
    | {
        readonly name: string;
        readonly service: string | undefined;
        readonly path?: string | undefined;
      }
    | undefined;
  readonly principal: Principal | undefined;
}

/** How the exchange ended. */
export interface EndedRequest {
  /** Sent to the caller; 0 when none was. */
  readonly status: number;
  readonly grpcStatus?: number | undefined;
  readonly end: "complete" | Reason;
  readonly requestBytes?: number | undefined;
  readonly responseBytes?: number | undefined;
}

const KNOWN: ReadonlySet<string> = new Set(METHODS);

/** Names that the conventions allow: what is no registered method is `_OTHER`. */
export function methodName(method: string): string {
  return KNOWN.has(method) ? method : "_OTHER";
}

/** `GET /billing/*`; `HTTP` where not even the method is known. */
export function serverSpanName({ input, route }: DecidedRequest): string {
  const method = methodName(input.head.method);
  const name = method === "_OTHER" ? "HTTP" : method;
  return route?.path === undefined ? name : `${name} ${route.path}`;
}

export function serverAttributes(
  decided: DecidedRequest,
  reason: Reason,
  { ended, principal }: { readonly ended: EndedRequest; readonly principal: boolean },
): SpanAttributes {
  const { input, request, route } = decided;
  const { head, peer } = input;
  const other = peer.balancer ?? peer;
  const authority =
    request?.authority === undefined ? undefined : splitAuthority(request.authority);
  return {
    "http.request.method": methodName(head.method),
    "url.scheme": input.scheme,
    "url.path": shown(request?.path),
    "url.query": request?.query === undefined ? undefined : shown(maskQuery(request.query)),
    "http.route": route?.path,
    "http.response.status_code": ended.status === 0 ? undefined : ended.status,
    "http.request.body.size": ended.requestBytes,
    "http.response.body.size": ended.responseBytes,
    "server.address": authority?.host,
    "server.port": authority?.port,
    "client.address": request?.clientAddress ?? unreadCaller(input),
    "network.peer.address": other.address,
    "network.peer.port": other.port,
    "network.protocol.version": head.version,
    "error.type": errorType(reason, ended),
    ...rpcAttributes(head, ended),
    "sallyport.decision_id": decided.id,
    "sallyport.decision": isGranted(reason) ? "permit" : "deny",
    "sallyport.reason": reason,
    "sallyport.listener": input.listener,
    "sallyport.route": route?.name,
    "sallyport.service": route?.service,
    "sallyport.end": ended.end === "complete" ? undefined : ended.end,
    "sallyport.principal":
      principal && decided.principal !== undefined ? principalId(decided.principal) : undefined,
  };
}

function rpcAttributes(head: RequestHead, { grpcStatus }: EndedRequest): SpanAttributes {
  if (!isGrpcCall(head)) return {};
  return { "rpc.system": "grpc", "rpc.grpc.status_code": grpcStatus };
}

/** Of low cardinality: a reason of ours, or the status. Undefined where nothing of ours or behind us is wrong. */
function errorType(reason: Reason, ended: EndedRequest): string | undefined {
  if (!hasFailed(ended)) return undefined;
  if (ended.end !== "complete") return ended.end;
  if (!isGranted(reason)) return reason;
  return ended.status >= 500 ? String(ended.status) : "grpc";
}

/** Statuses of gRPC that say that the server failed (conventions for gRPC). */
const GRPC_FAILED: ReadonlySet<number> = new Set([
  GRPC_STATUS.UNKNOWN,
  GRPC_STATUS.DEADLINE_EXCEEDED,
  GRPC_STATUS.UNIMPLEMENTED,
  GRPC_STATUS.INTERNAL,
  GRPC_STATUS.UNAVAILABLE,
  GRPC_STATUS.DATA_LOSS,
]);

/** Of a server span: what the caller did wrong is none of ours (conventions for HTTP spans, "Status"). */
export function hasFailed({ status, grpcStatus, end }: EndedRequest): boolean {
  if (grpcStatus !== undefined && GRPC_FAILED.has(grpcStatus)) return true;
  return status >= 500 || (end !== "complete" && reasonInfo(end).fault !== "caller");
}

/** `host:port`, with an IPv6 host in brackets. */
export function splitAuthority(text: string): {
  readonly host: string;
  readonly port: number | undefined;
} {
  const match = /^(.*?)(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[2];
  return { host: match?.[1] ?? text, port: port === undefined ? undefined : Number(port) };
}

/** What a caller wrote, as long as a span may hold it; API keys in it are cut to their prefix, as in records. */
export function shown(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const masked = maskApiKeys(text);
  return masked.length > LIMITS.text ? `${masked.slice(0, LIMITS.text)}…` : masked;
}
