/**
 * A caller's certificate: verified once when the connection opens, and asked on every request
 * whether it still stands. The question costs a comparison of two numbers and one of two references
 * for as long as neither the time nor the files of authorities and revocation lists have moved on.
 */
import { type Certificate, certificateIn, CLIENT_AUTH } from "../crypto/certificate.ts";
import {
  type Chain,
  type ChainFault,
  checkStanding,
  findChain,
  isChainFault,
  type Standing,
  type Trust,
} from "../crypto/certificate-chain.ts";
import { parseSpiffeId } from "../crypto/spiffe-id.ts";
import type { PeerCertificate, PeerTls } from "../model/peer-tls.ts";
import type { Reason } from "../model/reason.ts";

const LIMITS = {
  /** Certificates that a caller may send besides its own; further ones are passed over. */
  presented: 8,
} as const;

/** Where the authorities and lists of now are; a new value is a new reference. */
export interface TrustSource {
  readonly current: PeerTrust;
}

export interface PeerTrust extends Trust {
  /** Thumbprints of anchors for which no lists are kept. */
  readonly unlisted?: ReadonlySet<string> | undefined;
  /** Trust domains whose authorities are not known now. */
  readonly unknown?: ReadonlySet<string> | undefined;
}

/** What speaks against a caller. */
interface PeerFault {
  readonly reason: Reason;
  readonly detail: string;
}

/** What a caller sent, its own certificate first. */
export interface Presented {
  readonly certificates: readonly Buffer[];
  /** What the runtime's own verification says. */
  readonly authorized: boolean;
  readonly authorizationError: string | undefined;
}

/** A caller that owes a certificate and has none. */
export const NO_CERTIFICATE: PeerTls = Object.freeze({
  certificate: undefined,
  thumbprint: undefined,
  detail: undefined,
  presented: Object.freeze([]),
  refusal: () => "missing-certificate" as const,
});

export function verifyPeer(presented: Presented, source: TrustSource, nowMs: number): PeerTls {
  const [own, ...rest] = presented.certificates;
  let leaf: Certificate;
  const others: Certificate[] = [];
  try {
    if (own === undefined) throw new TypeError("no certificate");
    leaf = certificateIn(own);
    for (const der of rest.slice(0, LIMITS.presented)) others.push(certificateIn(der));
  } catch (error) {
    return refused(undefined, error instanceof Error ? error.message : "unreadable");
  }
  // What only the runtime objects to (name constraints, unknown critical extensions) counts as much as
  // what we find, and for as long as the connection is open: it is not asked again.
  const { authorized, authorizationError = "refused" } = presented;
  const objection = authorized ? undefined : authorizationError;
  const peer = new VerifiedPeer({ leaf, others, objection }, source);
  peer.refusal(nowMs);
  return peer;
}

class VerifiedPeer implements PeerTls {
  readonly thumbprint: string;
  certificate: PeerCertificate | undefined;
  detail: string | undefined;
  readonly presented: readonly Buffer[];
  readonly #leaf: Certificate;
  readonly #others: readonly Certificate[];
  readonly #objection: string | undefined;
  readonly #source: TrustSource;
  /** The way to an authority, and by what it was looked for: a caller that is refused may ask on and on, and each search can cost dozens of signatures. */
  #chain: { readonly by: PeerTrust; readonly found: Chain | ChainFault } | undefined;
  /** By what it was found good, and for how long. */
  #seen: PeerTrust | undefined;
  #from = 0;
  #until = 0;

  constructor(
    shown: {
      readonly leaf: Certificate;
      readonly others: readonly Certificate[];
      readonly objection: string | undefined;
    },
    source: TrustSource,
  ) {
    this.thumbprint = shown.leaf.thumbprint;
    this.presented = [shown.leaf, ...shown.others].map(({ der }) => der);
    this.#leaf = shown.leaf;
    this.#others = shown.others;
    this.#objection = shown.objection;
    this.#source = source;
  }

  refusal(nowMs: number): Reason | undefined {
    if (nowMs < this.#until && nowMs >= this.#from && this.#source.current === this.#seen) {
      return undefined;
    }
    return this.#look(nowMs);
  }

  #look(nowMs: number): Reason | undefined {
    const trust = this.#source.current;
    this.#until = 0;
    const found = this.#standing(trust, nowMs);
    if ("reason" in found) {
      this.detail = found.detail;
      if (LEADS_NOWHERE.has(found.reason)) this.certificate = undefined;
      return found.reason;
    }
    this.#seen = trust;
    this.#from = found.from;
    this.#until = found.until;
    this.certificate ??= described(this.#leaf);
    return undefined;
  }

  /** Ours comes first: it says more. */
  #standing(trust: PeerTrust, nowMs: number): Standing | PeerFault {
    if (this.#chain?.by !== trust) {
      const presented = this.#others;
      const found = findChain(this.#leaf, { presented, trust, usage: CLIENT_AUTH });
      this.#chain = { by: trust, found };
    }
    const { found } = this.#chain;
    const standing = isChainFault(found)
      ? (this.#unknowable(trust) ?? found)
      : checkStanding(found, listsFor(found, trust), nowMs);
    if ("reason" in standing || this.#objection === undefined) return standing;
    if (!isChainFault(found) && isOfAnotherPath(this.#objection, found)) return standing;
    const detail = `${this.#leaf.subject}: ${this.#objection}`;
    return { reason: "untrusted-certificate", detail };
  }

  /** A caller that may be good, and whose trust domain's authorities are not there to say so. */
  #unknowable({ unknown }: PeerTrust): PeerFault | undefined {
    if (unknown === undefined || unknown.size === 0) return undefined;
    const [uri = ""] = this.#leaf.extensions.uris;
    const trustDomain = parseSpiffeId(uri)?.trustDomain;
    if (trustDomain === undefined || !unknown.has(trustDomain)) return undefined;
    const detail = `the bundle of the trust domain ${trustDomain} was never had, or is staler than its bound`;
    return { reason: "identity-unavailable", detail };
  }
}

/** What a certificate that led to no authority comes to. */
const LEADS_NOWHERE: ReadonlySet<Reason> = new Set([
  "untrusted-certificate",
  "identity-unavailable",
]);

/** SPIFFE has short lives in place of lists, so a list of one authority says nothing about others. */
function listsFor({ certificates }: Chain, { lists, unlisted }: PeerTrust): Trust["lists"] {
  const anchor = certificates.at(-1)?.thumbprint ?? "";
  return unlisted?.has(anchor) === true ? undefined : lists;
}

function described(leaf: Certificate): PeerCertificate {
  const { subject, issuer, serial, notBefore, notAfter, thumbprint, extensions } = leaf;
  const { dnsNames, uris, emails } = extensions;
  const [uri] = uris;
  // SPIFFE X.509-SVID section 2: exactly one URI.
  const spiffeId =
    uris.length === 1 && uri !== undefined && parseSpiffeId(uri) !== undefined ? uri : undefined;
  return Object.freeze({
    subject,
    issuer,
    serial,
    notBefore,
    notAfter,
    thumbprint,
    dnsNames,
    uris,
    emails,
    spiffeId,
  });
}

function refused(thumbprint: string | undefined, detail: string): PeerTls {
  return {
    certificate: undefined,
    thumbprint,
    detail,
    presented: [],
    refusal: () => "untrusted-certificate",
  };
}

/**
 * The runtime follows the first authority whose name fits and says that its signature does not. One that
 * bears the name of another (the root of a federated trust domain, whoever publishes it) would so shut that
 * one's callers out. We have tried them all and checked each signature of the path that we found; what only
 * the runtime enforces must not stand in it then.
 */
function isOfAnotherPath(objection: string, { certificates }: Chain): boolean {
  return (
    objection === "CERT_SIGNATURE_FAILURE" &&
    certificates.every(({ extensions }) => !extensions.asksMore)
  );
}
