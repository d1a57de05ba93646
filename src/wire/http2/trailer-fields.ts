/**
 * The fields behind a body (RFC 9113 section 8.1): the rules of all fields, no pseudo-field, and what
 * HTTP/1.1 refuses and drops behind its last chunk (wire/trailers.ts).
 */
import type { Fields } from "../../model/http.ts";
import { headFault, type HeadFault } from "../head-fault.ts";
import { keepNeverIndexed } from "../never-indexed.ts";
import {
  allowedTrailers,
  DEFAULT_TRAILER_LIMITS,
  isFramingTrailer,
  type TrailerLimits,
} from "../trailers.ts";
import { ROLE } from "./field-roles.ts";
import { judgeField, sizeFault } from "./regular-fields.ts";

const FAULTS = {
  te: headFault("TE in trailers"),
  framing: headFault("a trailer that frames or routes the message"),
} as const;

/**
 * The trailers that may be passed on, or why the message is malformed. For requests and answers alike:
 * the fault is told as a caller's, and a client makes it the service's. That the block came with
 * END_STREAM is for the stream to see.
 */
export function readTrailerFields(
  fields: Fields,
  limits: TrailerLimits = DEFAULT_TRAILER_LIMITS,
): Fields | HeadFault {
  const bounds = { maxFields: limits.maxTrailerFields, maxBytes: limits.maxTrailerBytes };
  const large = sizeFault(fields, { start: 0, bytes: 0 }, bounds);
  if (large !== undefined) return large;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const role = judgeField(name, fields[index + 1] as string);
    if (typeof role !== "number") return role;
    if (role === ROLE.te) return FAULTS.te;
    if (isFramingTrailer(name)) return FAULTS.framing;
  }
  return keepNeverIndexed(fields, allowedTrailers(fields));
}

/** Tells a fault from fields. */
export function isTrailerFault(result: Fields | HeadFault): result is HeadFault {
  return "reason" in result;
}
