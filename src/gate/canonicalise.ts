/**
 * Makes the one `CanonicalRequest` that router, policy, audit and forwarder read (design section 5,
 * rule 1). Refuses what can be read in more than one way.
 */
import type { CanonicalRequest } from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import { isForwardedFault, readForwarded } from "../wire/forwarded-client.ts";
import { parseAuthority } from "../wire/authority.ts";
import { canonicalPath, isPathFault, type PathOptions, splitTarget } from "../wire/path.ts";
import type { GateInput } from "./decision.ts";

export interface CanonicalFault {
  readonly reason: Reason;
  /** For the operator; holds nothing of the request. */
  readonly detail: string;
}

/** The canonical request, or why there is none. */
export function canonicalise(
  input: GateInput,
  options: PathOptions,
): CanonicalRequest | CanonicalFault {
  const { head } = input;
  if (head.authorizationCount > 1) {
    return { reason: "duplicate-authorization", detail: "more than one Authorization field" };
  }
  const target = splitTarget(head.target, head.host);
  if (isPathFault(target)) return target;
  const authority = head.host === undefined ? NO_AUTHORITY : parseAuthority(head.host);
  if (authority === undefined) return { reason: "invalid-host", detail: "Host is not a host" };
  const path = canonicalPath(target.path, options);
  if (isPathFault(path)) return path;
  const forwarded = input.trust === undefined ? undefined : readForwarded(head.fields, input.trust);
  if (isForwardedFault(forwarded)) {
    return { reason: "invalid-forwarded", detail: forwarded.fault };
  }
  return {
    method: head.method,
    scheme: input.scheme,
    host: authority.host,
    authority: authority.text,
    path: path.path,
    query: target.query,
    head,
    peer: input.peer,
    clientAddress: forwarded?.address ?? input.peer.address,
    forwarded,
    listener: input.listener,
  };
}

export function isFault(result: CanonicalRequest | CanonicalFault): result is CanonicalFault {
  return "reason" in result;
}

/** HTTP/1.0 without Host: only routes without a host can match. */
const NO_AUTHORITY = { host: "", text: "" } as const;
