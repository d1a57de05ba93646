/**
 * Transfer-Encoding (RFC 9112 sections 6.1 and 6.3): a single `chunked`, or a fault.
 *
 * Every other spelling that some parser somewhere takes for chunked (parameters, quotes, empty list
 * elements, `chunked` twice) is refused: this field is where request smuggling lives.
 */
import { trimBlanks } from "../blanks.ts";
import { isToken } from "../token.ts";
import { headFault, type HeadFault } from "../head-fault.ts";

const FAULTS = {
  invalid: headFault("Transfer-Encoding is not a list of codings that ends in a single chunked"),
  unknown: headFault("a transfer coding other than chunked", "not-implemented"),
} as const;

/** Undefined for exactly `chunked`, in any case. */
export function transferCodingFault(value: string): HeadFault | undefined {
  if (value === "chunked") return undefined;
  const codings = value.toLowerCase().split(",").map(trimBlanks);
  // What cannot be delimited at all is malformed; what could be, but not by us, is not implemented.
  if (codings.pop() !== "chunked") return FAULTS.invalid;
  if (codings.length === 0) return undefined;
  return codings.every(isOtherCoding) ? FAULTS.unknown : FAULTS.invalid;
}

function isOtherCoding(coding: string): boolean {
  return coding !== "chunked" && isToken(coding);
}
