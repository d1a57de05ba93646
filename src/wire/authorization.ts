/**
 * The Authorization value (RFC 9110 section 11.6.2) -> scheme and token68.
 *
 * Refuses what is not `scheme SP token68`, for the schemes whose credential must be one: Bearer
 * (RFC 6750 section 2.1), DPoP (RFC 9449 section 7.1) and Basic (RFC 7617). Other schemes come out
 * without a token: no authenticator takes them. Nothing of the value reaches a fault.
 */
import type { Reason } from "../model/reason.ts";

export interface Credentials {
  /** Lower-case scheme. */
  readonly scheme: string;
  /** The token68; undefined for schemes that carry parameters. */
  readonly token: string | undefined;
}

export interface CredentialsFault {
  readonly reason: Reason;
  readonly detail: string;
}

const LIMITS = {
  /** Tokens with many roles reach 8 KB; beyond this none is looked at, whatever the head limit is. */
  valueLength: 16 * 1024,
} as const;

const FAULT: CredentialsFault = Object.freeze({
  reason: "malformed-credential",
  detail: "Authorization is not a scheme and a token68",
});

const SCHEME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TOKEN68 = /^[A-Za-z0-9._~+/-]+=*$/;
const TOKEN_SCHEMES: ReadonlySet<string> = new Set(["bearer", "dpop", "basic"]);

/** Takes one Authorization (or Proxy-Authorization) value. */
export function parseAuthorization(value: string): Credentials | CredentialsFault {
  if (value.length > LIMITS.valueLength) return FAULT;
  const space = value.indexOf(" ");
  const scheme = (space === -1 ? value : value.slice(0, space)).toLowerCase();
  if (!SCHEME.test(scheme)) return FAULT;
  // 1*SP: RFC 9110 section 11.4 allows more than one space before the token.
  let start = space === -1 ? value.length : space + 1;
  while (value.charCodeAt(start) === 0x20) start += 1;
  const token = value.slice(start);
  if (TOKEN68.test(token)) return { scheme, token };
  return TOKEN_SCHEMES.has(scheme) ? FAULT : { scheme, token: undefined };
}

/** Tells a fault from credentials. */
export function isCredentialsFault(result: object): result is CredentialsFault {
  return "reason" in result;
}
