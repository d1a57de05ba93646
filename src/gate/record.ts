/** Writes what was decided, and by what, to the audit log. */
import type { AuditLog, InspectedBody, Taken } from "../model/records.ts";
import { isGranted, type Reason } from "../model/reason.ts";
import { traceIdOf } from "../telemetry/traces/request-trace.ts";
import { clientOf } from "./credentials.ts";
import type { Deciding } from "./decision.ts";
import type { Inspected } from "./inspection.ts";

export function recordDecision(deciding: Deciding, reason: Reason, audit: AuditLog): Taken {
  const { request, policy, input, route, own } = deciding;
  const other = input.peer.balancer ?? input.peer;
  const client = clientOf(deciding);
  return audit.decision({
    action: deciding.operation?.action ?? route?.action ?? own?.action,
    timeMs: deciding.timeMs,
    decisionId: deciding.id,
    listener: input.listener,
    peerAddress: other.address,
    peerCertificate: input.peer.tls?.certificate,
    peerPort: other.port,
    clientAddress: client === other.address ? undefined : client,
    requestId: deciding.requestId,
    trace: traceIdOf(deciding.trace),
    principal: deciding.principal,
    scopes: own?.scopes ?? deciding.facts?.scopes ?? NONE,
    authn: deciding.authn,
    workload: deciding.workload,
    device: deciding.device,
    actor: deciding.principal === undefined ? undefined : deciding.facts?.actor,
    credentials: deciding.credentials,
    method: request?.method,
    host: request?.authority,
    httpVersion: request?.head.version,
    path: request?.path,
    query: request?.query,
    params: deciding.params,
    route: route?.name,
    service: route?.service ?? own?.service,
    servicePath: deciding.servicePath === request?.path ? undefined : deciding.servicePath,
    stream: deciding.stream?.decisionId,
    decision: isGranted(reason) ? "permit" : "deny",
    reason,
    detail: deciding.detail,
    determining: policy?.determining ?? NONE,
    erroring: policy?.erroring ?? NONE,
    reads: policy?.reads ?? NO_READS,
    shadow: deciding.shadow,
    body: bodyOf(deciding.inspected),
    rpc: deciding.inspected?.rpc,
    issue: own?.issue,
    key: own?.key,
    usage: deciding.usage,
    bundle: deciding.snapshot.policies.hash,
  });
}

function bodyOf(inspected: Inspected | undefined): InspectedBody | undefined {
  if (inspected?.body === undefined) return undefined;
  return { values: inspected.body, clear: inspected.clear };
}

const NONE: readonly string[] = Object.freeze([]);
const NO_READS = Object.freeze([]);
