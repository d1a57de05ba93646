/**
 * What a field name means to HTTP/2 (RFC 9113 sections 8.2 and 8.3), for names as a block has them.
 *
 * A name is a lower-case token or it is refused; upper case is not folded, because whoever sends it
 * was not the encoder of an HTTP/2 client (section 8.2.1). Names that were judged are remembered: most
 * come from the decoder's tables, where one name is one string, and a look-up costs a tenth of the
 * regular expression.
 */
import { FIELD } from "../field-name.ts";
import { checkFieldName } from "../field-text.ts";

/** `FIELD` of wire/field-name.ts, and what is HTTP/2's own. */
export const ROLE = {
  ...FIELD,
  /** Means something only between two HTTP/1.1 neighbours: malformed here (section 8.2.2). */
  connectionSpecific: 100,
  /** May say `trailers` and nothing else, in requests alone (section 8.2.2). */
  te: 101,
  /** May come in crumbs (section 8.2.3). */
  cookie: 102,
  /** Begins with a colon. */
  pseudo: 103,
  /** Upper case, no token, or empty. */
  invalid: 104,
} as const;

const KNOWN: readonly (readonly [name: string, role: number])[] = [
  ["host", ROLE.host],
  ["authorization", ROLE.authorization],
  ["content-length", ROLE.contentLength],
  ["expect", ROLE.expect],
  ["connection", ROLE.connectionSpecific],
  ["keep-alive", ROLE.connectionSpecific],
  ["proxy-connection", ROLE.connectionSpecific],
  ["transfer-encoding", ROLE.connectionSpecific],
  ["upgrade", ROLE.connectionSpecific],
  // RFC 9113 section 8.2.2 speaks of all that Connection would list; RFC 7540 section 3.2.1 has it listed.
  ["http2-settings", ROLE.connectionSpecific],
  ["te", ROLE.te],
  ["cookie", ROLE.cookie],
];

const LIMITS = {
  /** Remembered names; forgotten all at once when full, so invented names cost no memory. */
  remembered: 1024,
  /** Longer names are judged each time. */
  nameLength: 48,
} as const;

const COLON = 0x3a;

let remembered = new Map(KNOWN);

/** One of `ROLE`. */
export function fieldRole(name: string): number {
  return remembered.get(name) ?? judge(name);
}

function judge(name: string): number {
  if (name.charCodeAt(0) === COLON) return ROLE.pseudo;
  if (!checkFieldName(name)) return ROLE.invalid;
  if (name.length <= LIMITS.nameLength) {
    if (remembered.size >= LIMITS.remembered) remembered = new Map(KNOWN);
    remembered.set(name, ROLE.other);
  }
  return ROLE.other;
}
