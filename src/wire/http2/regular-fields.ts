/**
 * What holds for every field behind the pseudo-fields, in requests, answers and trailers alike
 * (RFC 9113 sections 8.2.1 and 8.2.2).
 *
 * Whatever passes can be written as HTTP/1.1 and is read there as the very same field: no name that
 * is not a lower-case token, no CR, LF, NUL or other control byte, no white space around a value,
 * nothing that would frame, connect or upgrade on the other side (request smuggling by downgrade, as
 * in CVE-2021-21295 and James Kettle's "HTTP/2: The Sequel is Always Worse").
 */
import type { Fields } from "../../model/http.ts";
import { checkFieldValue } from "../field-text.ts";
import { headFault, type HeadFault } from "../head-fault.ts";
import { fieldRole, ROLE } from "./field-roles.ts";

const FAULTS = {
  pseudo: headFault("a pseudo-field behind other fields, or in trailers"),
  name: headFault("a field name that is not a lower-case token"),
  value: headFault("a field value with a control byte, or with white space around it"),
  connection: headFault("a field that is meant for an HTTP/1.1 neighbour"),
  tooMany: headFault("more fields than the limit", "head-too-large"),
  tooLarge: headFault("the head has more bytes than the limit", "head-too-large"),
} as const;

/** What a field line of HTTP/1.1 has beside name and value: `: ` and CR LF. */
const LINE_BYTES = 4;

/** The field's `ROLE`, or why no message may have it. What TE may say is for the kind of message. */
export function judgeField(name: string, value: string): number | HeadFault {
  const role = fieldRole(name);
  if (role === ROLE.invalid) return FAULTS.name;
  if (role === ROLE.pseudo) return FAULTS.pseudo;
  if (role === ROLE.connectionSpecific) return FAULTS.connection;
  return checkFieldValue(value) ? role : FAULTS.value;
}

/** Why the fields from `start` on, with `bytes` before them, are too many or too large, or undefined. */
export function sizeFault(
  fields: Fields,
  from: { readonly start: number; readonly bytes: number },
  limits: { readonly maxFields: number; readonly maxBytes: number },
): HeadFault | undefined {
  if (fields.length - from.start > limits.maxFields * 2) return FAULTS.tooMany;
  let bytes = from.bytes;
  for (let index = from.start; index < fields.length; index += 2) {
    bytes += (fields[index] as string).length + (fields[index + 1] as string).length + LINE_BYTES;
  }
  return bytes > limits.maxBytes ? FAULTS.tooLarge : undefined;
}
