import type { RequestHead } from "./http.ts";
import type { RecordedKey } from "./issued-keys.ts";
import type { InputRead, PolicyIssue, ShadowDecision } from "./policy.ts";
import type { PeerCertificate } from "./peer-tls.ts";
import type { AttributeValue, Principal } from "./principal.ts";
import type { RpcCall } from "./rpc.ts";
import type { Reason } from "./reason.ts";
import type { Actor } from "./facts.ts";
import type { Authn } from "./policy.ts";

/**
 * Record schema v1: what the audit log holds, one JSON object a line, keys in code-unit order (RFC 8785) so that
 * a record's bytes are canonical. docs/audit.md documents each field.
 */

/** Which part of a credential reaches a record: its hash and what became of it, never itself. */
export interface RecordedCredential {
  /** `bearer`, `cookie`, `certificate`, … */
  readonly kind: string;
  /** base64url SHA-256 of the whole credential. */
  readonly hash: string;
  /** `used`: verified and the principal comes from it; `refused`; `ignored`: of a kind that the route does not list. */
  readonly outcome: "used" | "refused" | "ignored";
}

/** What policies saw of a JSON body. */
export interface InspectedBody {
  readonly values: Readonly<Record<string, AttributeValue>>;
  /** Names of those that may stand in the log; of the others it holds keyed hashes. */
  readonly clear: ReadonlySet<string>;
}

/** What policies were asked about a key, as records hold it: the service is the record's. */
export interface RecordedIssue extends Omit<PolicyIssue, "service"> {
  /** How many were asked for one key: the principal, the service and all here are those of the one that decided. */
  readonly questions: number;
}

/** One value for all requests of one plan and cost. */
export interface RecordedUsage {
  /** Cost units of the request; 1 is left out of the record. */
  readonly cost: number;
  /** The principal's plan; undefined: it has none. */
  readonly plan: string | undefined;
}

/** Written for every decision, permitted or denied. */
export interface DecisionRecord {
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly decisionId: string;
  /** What policies were asked about, where it is not the method. */
  readonly action?: string | undefined;
  /** Of a decision about what somebody else asks for (AuthZEN): who asked, and the decision that let it ask. */
  readonly asked?:
    | {
        readonly by: string;
        readonly decisionId: string;
        /** The time that policies were asked about, where the question named one. */
        readonly timeMs?: number | undefined;
      }
    | undefined;
  readonly listener: string;
  readonly peerAddress: string;
  readonly peerPort: number;
  /** The caller's address as a trusted proxy named it; undefined where it is the peer's. */
  readonly clientAddress: string | undefined;
  /** Kept or made `x-request-id`. */
  readonly requestId: string;
  /** Undefined when the request was denied before identity. */
  readonly principal: Principal | undefined;
  readonly scopes: readonly string[];
  readonly authn: Authn | undefined;
  /** What else policies saw of who is calling (`context.workload`, `.device`, `.actor`). */
  readonly workload?: Principal | undefined;
  readonly device?: Principal | undefined;
  readonly actor?: Actor | undefined;
  readonly body?: InspectedBody | undefined;
  readonly rpc?: RpcCall | undefined;
  /** Of ISSUE_KEY_ACTION: what was asked for. */
  readonly issue?: RecordedIssue | undefined;
  /** What was issued. */
  readonly key?: RecordedKey | undefined;
  /** The caller's certificate, where it led to a trusted authority. */
  readonly peerCertificate?: PeerCertificate | undefined;
  readonly credentials: readonly RecordedCredential[];
  /** Undefined when the head did not parse. */
  readonly method: string | undefined;
  readonly host: string | undefined;
  /** The version of HTTP that the caller spoke. */
  readonly httpVersion?: RequestHead["version"] | undefined;
  readonly path: string | undefined;
  /** Raw query; the writer masks its values unless configured otherwise. */
  readonly query: string | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly route: string | undefined;
  readonly service: string | undefined;
  /** The path as the service gets it, where that decided what the action is and is not `path`. */
  readonly servicePath?: string | undefined;
  /** Decision id of the open stream that this denial ends; undefined for a request that came in. */
  readonly stream?: string | undefined;
  readonly decision: "permit" | "deny";
  readonly reason: Reason;
  /** For the operator; no secret. */
  readonly detail: string | undefined;
  readonly determining: readonly string[];
  readonly erroring: readonly string[];
  /** Headers and query values that policy read; the writer hashes the values. */
  readonly reads: readonly InputRead[];
  /** W3C trace id (32 hexadecimal digits) of the trace that the request is part of; undefined: of none that anybody keeps. */
  readonly trace?: string | undefined;
  /** Members that stand as keyed hashes (`audit.redact`), by name, in order. */
  readonly redacted?: readonly string[] | undefined;
  /** What a candidate set of policies would have done, where it is something else. */
  readonly shadow?: ShadowDecision | undefined;
  /** What it counts for; undefined where nobody counts. */
  readonly usage?: RecordedUsage | undefined;
  /** Hash of the snapshot's policies. */
  readonly bundle: string;
}

/** Written when a request whose decision is in the log has ended, joined by `decisionId`. */
export interface CompletionRecord {
  readonly timeMs: number;
  readonly decisionId: string;
  /** `host:port` of the endpoint, or undefined when none was reached. */
  readonly upstream: string | undefined;
  /** Status sent to the caller; 0 when none was. */
  readonly status: number;
  /** The gRPC status that ended a call over HTTP/2; undefined where none was sent, and for all else. */
  readonly grpcStatus?: number | undefined;
  /** Body bytes from the caller, without framing. */
  readonly requestBytes: number;
  /** Body bytes to the caller, without framing. */
  readonly responseBytes: number;
  /** Milliseconds from the complete request head to the end. */
  readonly durationMs: number;
  /** Milliseconds from sending the request head to the response head; undefined when none came. */
  readonly upstreamMs: number | undefined;
  /** `complete`, or the reason why it ended before its time. */
  readonly end: "complete" | Reason;
}

/** What became of a decision record. */
export type Taken = "recorded" | "summarised" | "refused";

/** The audit log as the request path sees it. */
export interface AuditLog {
  /** False while the log cannot be written: then traffic is refused (design section 5, rule 6). */
  writable(): boolean;
  /**
   * Takes a decision. `summarised`: a denial that is only counted, since strangers must not fill the
   * disk; no completion follows it. `refused`: it could not be taken, so the request must be refused
   * as `audit-unavailable`.
   */
  decision(record: DecisionRecord): Taken;
  completion(record: CompletionRecord): void;
  /**
   * With `durability: strict`: settles when all that was taken until now is on disk; rejects when it
   * cannot be. With `batched`: undefined, nothing to wait for; with `written` too, it settles when all that
   * is in the file, so that the death of this process does not take it.
   */
  durable(atLeast?: "written"): Promise<void> | undefined;
}
