/** Stub. */
import type { Fields } from "../../model/http.ts";
import { headFault, type HeadFault } from "../head-fault.ts";

/**
 * The trailers that may be passed on (wire/trailers.ts), or why the message is malformed. For requests and
 * answers alike: the fault's reason is `malformed-request`, which a client turns into its own.
 * That the block came with END_STREAM is for the stream to see (RFC 9113 section 8.1).
 */
export function readTrailerFields(fields: Fields): Fields | HeadFault {
  void fields;
  return headFault("to come");
}

/** Tells a fault from fields. */
export function isTrailerFault(result: Fields | HeadFault): result is HeadFault {
  return !Array.isArray(result);
}
