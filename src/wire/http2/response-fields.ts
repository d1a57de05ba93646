/** Stub. */
import type { Fields, ResponseHead } from "../../model/http.ts";
import { headFault, type HeadFault } from "../head-fault.ts";

/** What the answer is an answer to. */
export interface ResponseContext {
  /** As sent in `:method`: GET, HEAD, …, or CONNECT for an extended one. */
  readonly method: string;
}

/**
 * The head of an answer. Every fault has the reason `upstream-protocol`.
 *
 * Interim answers come out with their status and `bodyKind` "none"; the final one follows. `bodyKind`
 * is "length" with a Content-Length, else "none" with END_STREAM (and for HEAD, 204, 304), else
 * "chunked": its end is marked and trailers may follow. A 2xx to CONNECT has "none": what follows is
 * the tunnel's. `minorVersion` 1, `keepAlive` true.
 */
export function readResponseFields(
  fields: Fields,
  endStream: boolean,
  context: ResponseContext,
): ResponseHead | HeadFault {
  void [fields, endStream, context];
  return headFault("to come");
}
