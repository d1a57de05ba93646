/**
 * A caller's certificate: verified once when the connection opens, and asked on every request
 * whether it still stands. The question costs a comparison of two numbers and one of two references
 * for as long as neither the time nor the files of authorities and revocation lists have moved on.
 */
import { type Certificate, CLIENT_AUTH, parseCertificate } from "../crypto/certificate.ts";
import {
  type Chain,
  type ChainFault,
  checkStanding,
  findChain,
  isChainFault,
  type Standing,
  type Trust,
} from "../crypto/certificate-chain.ts";
import type { PeerCertificate, PeerTls } from "../model/peer-tls.ts";
import type { Reason } from "../model/reason.ts";

const LIMITS = {
  /** Certificates that a caller may send besides its own; further ones are passed over. */
  presented: 8,
} as const;

/** Where the authorities and lists of now are; a new value is a new reference. */
export interface TrustSource {
  readonly current: Trust;
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
  refusal: () => "missing-certificate" as const,
});

export function verifyPeer(presented: Presented, source: TrustSource, nowMs: number): PeerTls {
  const [own, ...rest] = presented.certificates;
  let leaf: Certificate;
  const others: Certificate[] = [];
  try {
    if (own === undefined) throw new TypeError("no certificate");
    leaf = parseCertificate(own);
    for (const der of rest.slice(0, LIMITS.presented)) others.push(parseCertificate(der));
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
  readonly #leaf: Certificate;
  readonly #others: readonly Certificate[];
  readonly #objection: string | undefined;
  readonly #source: TrustSource;
  /** The way to an authority, and by what it was looked for: a caller that is refused may ask on and on, and each search can cost dozens of signatures. */
  #chain: { readonly by: Trust; readonly found: Chain | ChainFault } | undefined;
  /** By what it was found good, and for how long. */
  #seen: Trust | undefined;
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
    if (isChainFault(found)) {
      this.detail = found.detail;
      if (found.reason === "untrusted-certificate") this.certificate = undefined;
      return found.reason;
    }
    this.#seen = trust;
    this.#from = found.from;
    this.#until = found.until;
    this.certificate ??= described(this.#leaf);
    return undefined;
  }

  /** Ours comes first: it says more. */
  #standing(trust: Trust, nowMs: number): Standing | ChainFault {
    if (this.#chain?.by !== trust) {
      const presented = this.#others;
      const found = findChain(this.#leaf, { presented, trust, usage: CLIENT_AUTH });
      this.#chain = { by: trust, found };
    }
    const { found } = this.#chain;
    const standing = isChainFault(found) ? found : checkStanding(found, trust.lists, nowMs);
    if (isChainFault(standing) || this.#objection === undefined) return standing;
    const detail = `${this.#leaf.subject}: ${this.#objection}`;
    return { reason: "untrusted-certificate", detail };
  }
}

function described(leaf: Certificate): PeerCertificate {
  const { subject, issuer, serial, notBefore, notAfter, thumbprint, extensions } = leaf;
  const { dnsNames, uris, emails } = extensions;
  const [uri] = uris;
  // SPIFFE X.509-SVID section 2: exactly one URI.
  const spiffeId = uris.length === 1 && uri?.startsWith("spiffe://") === true ? uri : undefined;
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
    refusal: () => "untrusted-certificate",
  };
}
