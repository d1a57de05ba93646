/**
 * From a certificate to an authority that is trusted, and whether any certificate on the way is out
 * of its time or revoked (RFC 5280 section 6, as far as it bears on peers of a connection). The
 * runtime checks chains too; this one is the same on both runtimes, says which certificate it was,
 * and can be asked again while the connection is open.
 *
 * It refuses certificates of no known authority, authorities that are none, paths longer than they
 * allow, signatures with SHA-1; and with revocation lists at hand, a path of which an authority has
 * no list that is in date: what cannot be known to be good is not good.
 */
import { allowsUsage, type Certificate } from "./certificate.ts";
import { listedBy, type RevocationList } from "./revocation-list.ts";
import { signedBy } from "./x509-signature.ts";

const LIMITS = {
  /** Certificates on a path; the longest that are in use have five. */
  length: 8,
  /** Signatures that one search may check: a peer can send certificates that all seem to fit. */
  checks: 32,
} as const;

export interface Trust {
  readonly anchors: readonly Certificate[];
  /** Undefined: revocation is not looked at. */
  readonly lists: readonly RevocationList[] | undefined;
}

export type ChainReason =
  | "untrusted-certificate"
  | "certificate-expired"
  | "certificate-revoked"
  | "revocation-unknown";

export interface ChainFault {
  readonly reason: ChainReason;
  /** For the operator: which certificate, and what is wrong with it. */
  readonly detail: string;
}

export interface Chain {
  /** From the peer's own to the anchor. */
  readonly certificates: readonly Certificate[];
}

/** How long what was found holds, if nothing else changes. */
export interface Standing {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
}

export function isChainFault(result: Chain | Standing | ChainFault): result is ChainFault {
  return "reason" in result;
}

/** The way to an anchor. Times and lists are not looked at. */
export function findChain(
  leaf: Certificate,
  {
    presented,
    trust,
    usage,
  }: {
    /** What the peer sent besides its own. */
    readonly presented: readonly Certificate[];
    readonly trust: Trust;
    /** `CLIENT_AUTH` or `SERVER_AUTH`. */
    readonly usage: string;
  },
): Chain | ChainFault {
  if (!allowsUsage(leaf, usage)) {
    return untrusted(`${leaf.subject}: not meant for this use (extended key usage)`);
  }
  const search: Search = { presented, anchors: trust.anchors, usage, checks: LIMITS.checks };
  const certificates = climb([leaf], search);
  if (certificates !== undefined) return { certificates };
  return untrusted(
    `${leaf.subject}: no path from its issuer ${leaf.issuer} to a trusted authority`,
  );
}

/** Whether each certificate of the chain is in its time and not revoked now, and how long that holds. */
export function checkStanding(
  { certificates }: Chain,
  lists: readonly RevocationList[] | undefined,
  nowMs: number,
): Standing | ChainFault {
  let from = Number.NEGATIVE_INFINITY;
  let until = Number.POSITIVE_INFINITY;
  for (const { subject, notBefore, notAfter } of certificates) {
    if (nowMs < notBefore) return expired(`${subject}: not valid before ${timeText(notBefore)}`);
    // "through notAfter", which has no fraction of a second.
    if (nowMs >= notAfter + 1000) return expired(`${subject}: expired at ${timeText(notAfter)}`);
    from = Math.max(from, notBefore);
    until = Math.min(until, notAfter + 1000);
  }
  if (lists === undefined) return { from, until };
  for (let index = 0; index < certificates.length - 1; index++) {
    const [certificate, authority] = [certificates[index], certificates[index + 1]];
    if (certificate === undefined || authority === undefined) continue;
    const result = checkRevocation(certificate, authority, { lists, nowMs });
    if (typeof result !== "number") return result;
    until = Math.min(until, result);
  }
  return { from, until };
}

/** Until when it is known that the certificate is not revoked. */
function checkRevocation(
  certificate: Certificate,
  authority: Certificate,
  { lists, nowMs }: { readonly lists: readonly RevocationList[]; readonly nowMs: number },
): number | ChainFault {
  const { subject, serial, issuer } = certificate;
  let until = 0;
  for (const list of lists) {
    if (!isListOf(list, authority)) continue;
    // Also from a list that is out of date: what was revoked once is not good again.
    if (list.revoked.has(serial)) {
      return { reason: "certificate-revoked", detail: `${subject}: revoked (serial ${serial})` };
    }
    if (list.thisUpdate <= nowMs) until = Math.max(until, list.nextUpdate);
  }
  if (until > nowMs) return until;
  const what = until === 0 ? "there is no revocation list" : "the revocation list is out of date";
  return { reason: "revocation-unknown", detail: `${subject}: ${what} of ${issuer}` };
}

/** Signatures of lists, each checked once for an authority: lists are long-lived and shared. */
const known = new WeakMap<RevocationList, Map<string, boolean>>();

function isListOf(list: RevocationList, authority: Certificate): boolean {
  let answers = known.get(list);
  if (answers === undefined) known.set(list, (answers = new Map()));
  let answer = answers.get(authority.thumbprint);
  if (answer === undefined) {
    answer = listedBy(list, authority);
    // Only by authorities that led to an anchor, so there are few.
    answers.set(authority.thumbprint, answer);
  }
  return answer;
}

interface Search {
  readonly presented: readonly Certificate[];
  readonly anchors: readonly Certificate[];
  readonly usage: string;
  checks: number;
}

function climb(path: readonly Certificate[], search: Search): readonly Certificate[] | undefined {
  const top = path.at(-1);
  if (top === undefined) return undefined;
  // The very certificate is trusted: a self-signed one that stands in the file.
  if (search.anchors.some((anchor) => anchor.thumbprint === top.thumbprint)) return path;
  if (path.length >= LIMITS.length) return undefined;
  for (const anchor of search.anchors) {
    if (vouches(anchor, path, search)) return [...path, anchor];
  }
  for (const one of search.presented) {
    if (path.some(({ thumbprint }) => thumbprint === one.thumbprint)) continue;
    if (!vouches(one, path, search)) continue;
    const found = climb([...path, one], search);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether `authority` may have signed the last of the path, and did. */
function vouches(authority: Certificate, path: readonly Certificate[], search: Search): boolean {
  const top = path.at(-1);
  if (top === undefined || !top.issuerDer.equals(authority.subjectDer)) return false;
  const { authority: mayIssue, pathLength, signsCertificates } = authority.extensions;
  if (!mayIssue || signsCertificates === false) return false;
  if (!allowsUsage(authority, search.usage)) return false;
  // Self-issued ones do not count (RFC 5280 section 4.2.1.9).
  const between = path.slice(1).filter((one) => !one.issuerDer.equals(one.subjectDer)).length;
  if (pathLength !== undefined && between > pathLength) return false;
  if (search.checks <= 0) return false;
  search.checks -= 1;
  return signedBy(top.signed, authority.key);
}

function untrusted(detail: string): ChainFault {
  return { reason: "untrusted-certificate", detail };
}

function expired(detail: string): ChainFault {
  return { reason: "certificate-expired", detail };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(".000", "");
}
