/**
 * Which fields never enter a dynamic table (RFC 7541 section 7.1.3).
 *
 * Callers share our connection to a service, and with it one table. Whoever can send fields of a choice
 * and see how long blocks are could test whether a value is in it. So credentials are sent as literals
 * "never indexed", which also tells everybody on the way to leave them out of tables of their own.
 */

/** A segment of the name that says so: `authorization`, `set-cookie`, `x-api-key`, `x-csrf-token`. */
const SECRET =
  /(?:^|[-_.])(?:apikey|assertion|auth|authorization|cookie2?|credentials?|csrf|jwt|key|passphrase|passw(?:or)?d|secret|session|sessionid|sig|signature|ticket|token|xsrf)(?:$|[-_.])/;

const LIMITS = {
  /** Names that were looked at; forgotten all at once when full, so invented names cost no memory. */
  knownNames: 1024,
} as const;

const knownNames = new Map<string, boolean>();

/** Whether fields of this lower-case name may hold a secret. */
export function isSecretName(name: string): boolean {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  const secret = SECRET.test(name);
  if (knownNames.size >= LIMITS.knownNames) knownNames.clear();
  knownNames.set(name, secret);
  return secret;
}
