/**
 * Method, scheme and target of an HTTP/2 request (RFC 9113 sections 8.3.1 and 8.5), as strict as the
 * request line of HTTP/1.1 and refused for the same reasons (wire/request-target.ts).
 *
 * The target is origin-form or, for OPTIONS, `*`: an absolute one would be a second authority. The
 * schemes are http and https; CONNECT is an extended one to a WebSocket (RFC 8441) or not served.
 */
import { headFault, type HeadFault } from "../head-fault.ts";
import type { HeadLimits } from "../head-limits.ts";
import { methodFault, targetFault } from "../request-target.ts";
import type { PseudoFields } from "./pseudo-fields.ts";

export interface RequestLine {
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly target: string;
  /** Whether it is an extended CONNECT; `method` is then the GET of an opening handshake. */
  readonly connect: boolean;
}

const FAULTS = {
  methodMissing: headFault(":method is missing"),
  schemeMissing: headFault(":scheme is missing"),
  scheme: headFault(":scheme is neither http nor https"),
  pathMissing: headFault(":path is missing"),
  pathForm: headFault(":path does not begin with a slash"),
  connectForm: headFault("CONNECT with :scheme or :path, or without :authority"),
  protocolMethod: headFault(":protocol on a method other than CONNECT"),
  protocol: headFault("CONNECT to a protocol other than websocket", "not-implemented"),
} as const;

/** The request line, or why there is none. `websockets`: whether extended CONNECT is served. */
export function readRequestLine(
  pseudo: PseudoFields,
  limits: HeadLimits,
  websockets: boolean,
): RequestLine | HeadFault {
  const { method, protocol, scheme, path } = pseudo;
  if (method === undefined) return FAULTS.methodMissing;
  const connect = protocol !== undefined;
  if (connect && method !== "CONNECT") return FAULTS.protocolMethod;
  if (!connect) {
    const fault = connectFault(pseudo) ?? methodFault(method);
    if (fault !== undefined) return fault;
  }
  if (scheme === undefined) return FAULTS.schemeMissing;
  if (scheme !== "http" && scheme !== "https") return FAULTS.scheme;
  if (path === undefined) return FAULTS.pathMissing;
  if (!path.startsWith("/") && (path !== "*" || connect)) return FAULTS.pathForm;
  const fault = targetFault(method, path, limits);
  if (fault !== undefined) return fault;
  // After all else: what is malformed is not unimplemented.
  if (connect && !(websockets && protocol === "websocket")) return FAULTS.protocol;
  return { method: connect ? "GET" : method, scheme, target: path, connect };
}

/** Section 8.5: a CONNECT that is not well-formed is malformed before it is refused. */
function connectFault({ method, scheme, path, authority }: PseudoFields): HeadFault | undefined {
  if (method !== "CONNECT") return undefined;
  const wellFormed = scheme === undefined && path === undefined && authority !== undefined;
  return wellFormed ? undefined : FAULTS.connectForm;
}
