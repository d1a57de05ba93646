/**
 * SPIFFE IDs (SPIFFE-ID specification, section 2): `spiffe://trust-domain/path`.
 *
 * Read letter by letter and never by a URL parser: parsers lower-case, decode and resolve, so that two
 * texts become one ID. Refused: another scheme or another case of it, ports and user names, query and
 * fragment, percent-encoding, empty segments, `.` and `..`, a slash at the end, and what is too long.
 */

export interface SpiffeId {
  readonly trustDomain: string;
  /** With its slash; empty where the ID names the trust domain itself. */
  readonly path: string;
}

const SCHEME = "spiffe://";

const LIMITS = {
  /** Bytes of an ID; section 2.3 says that 2048 have to be taken, and that more is not to be used. */
  id: 2048,
  /** Of a trust domain, in the same section. */
  trustDomain: 255,
} as const;

const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/** Undefined where the text is no SPIFFE ID. */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  if (text.length > LIMITS.id || !text.startsWith(SCHEME)) return undefined;
  const slash = text.indexOf("/", SCHEME.length);
  const end = slash === -1 ? text.length : slash;
  const trustDomain = text.slice(SCHEME.length, end);
  const path = text.slice(end);
  return isTrustDomain(trustDomain) && isPath(path) ? { trustDomain, path } : undefined;
}

/** Whether it can stand between `spiffe://` and the path. */
export function isTrustDomain(text: string): boolean {
  return text.length <= LIMITS.trustDomain && TRUST_DOMAIN.test(text);
}

function isPath(path: string): boolean {
  if (path === "") return true;
  return path
    .slice(1)
    .split("/")
    .every((segment) => SEGMENT.test(segment) && segment !== "." && segment !== "..");
}
