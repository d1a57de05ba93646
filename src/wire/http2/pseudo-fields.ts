/**
 * Pseudo-fields (RFC 9113 sections 8.3.1 and 8.3.2, RFC 8441 section 4): which there may be, each once
 * and before all other fields. What their values may be is for request-fields.ts and
 * response-fields.ts; one that comes later is refused with the fields (regular-fields.ts).
 */
import type { Fields } from "../../model/http.ts";
import { headFault, type HeadFault } from "../head-fault.ts";

export interface PseudoFields {
  method: string | undefined;
  scheme: string | undefined;
  authority: string | undefined;
  path: string | undefined;
  protocol: string | undefined;
  status: string | undefined;
  /** Index of the first other field. */
  end: number;
}

const FAULTS = {
  unknown: headFault("a pseudo-field that is not defined for this kind of message"),
  repeated: headFault("a pseudo-field that appears more than once"),
} as const;

type PseudoName = Exclude<keyof PseudoFields, "end">;

const OF_REQUESTS: ReadonlyMap<string, PseudoName> = new Map([
  [":method", "method"],
  [":scheme", "scheme"],
  [":authority", "authority"],
  [":path", "path"],
  [":protocol", "protocol"],
]);
const OF_RESPONSES: ReadonlyMap<string, PseudoName> = new Map([[":status", "status"]]);
const COLON = 0x3a;

/** The pseudo-fields of a block. */
export function readPseudoFields(
  fields: Fields,
  kind: "request" | "response",
): PseudoFields | HeadFault {
  const known = kind === "request" ? OF_REQUESTS : OF_RESPONSES;
  const found: PseudoFields = {
    method: undefined,
    scheme: undefined,
    authority: undefined,
    path: undefined,
    protocol: undefined,
    status: undefined,
    end: 0,
  };
  let index = 0;
  for (; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (name.charCodeAt(0) !== COLON) break;
    const member = known.get(name);
    if (member === undefined) return FAULTS.unknown;
    if (found[member] !== undefined) return FAULTS.repeated;
    found[member] = fields[index + 1] as string;
  }
  found.end = index;
  return found;
}
