/**
 * Proves who opened a connection, by its certificate: an X.509-SVID of a SPIFFE trust domain, or a plain
 * certificate by the names in it.
 *
 * What the listener took is verified again here, by the bundle of the one trust domain (or by the one
 * `ca`): a listener trusts the authorities of all, and an authority of one domain must not speak for
 * another (design section 5, rule 4). That is done once for a connection and bundle; with each request
 * there are two comparisons. Refused: X.509-SVIDs that break a rule of their specification, signatures by
 * another trust domain, IDs that no pattern fits, certificates that live longer than allowed.
 */
import { type Certificate, certificateIn, CLIENT_AUTH } from "../crypto/certificate.ts";
import { type Chain, checkStanding, findChain, isChainFault } from "../crypto/certificate-chain.ts";
import {
  type CredentialFacts,
  type CredentialFailure,
  isFailure,
  type Verified,
} from "../model/facts.ts";
import type { PeerTls } from "../model/peer-tls.ts";
import type { Principal } from "../model/principal.ts";
import type { Reason } from "../model/reason.ts";
import type { CertificateAuthenticator } from "./authenticator.ts";
import { hashOptions } from "./config-hash.ts";
import { type MtlsOptions, mtlsWords } from "./mtls-options.ts";
import { createPlainMatch } from "./mtls-plain.ts";
import { claimsTrustDomain, signersFault, svidOf } from "./spiffe/mtls-svid.ts";
import { createSpiffeMatch, type SpiffeRule } from "./spiffe/spiffe-match.ts";
import type { TrustBundle } from "./spiffe/trust-bundle.ts";
import { createFileBundleSource, type TrustBundleSource } from "./spiffe/trust-bundle-source.ts";
import { openTrustBundle, type TrustBundleDeps } from "./spiffe/trust-bundle-open.ts";

export interface MtlsAuthenticator extends CertificateAuthenticator {
  /** Undefined where it has no authorities of its own. Listeners verify callers by it. */
  readonly authorities: TrustBundleSource | undefined;
}

const LIMITS = {
  /** A path that is out of its time is looked for again after this long: each search costs signatures. */
  againMs: 1000,
} as const;

type Named = MtlsOptions & { readonly name: string };

/** Throws ConfigError where a file that it names cannot be used. */
export function createMtlsAuthenticator(options: Named, deps: TrustBundleDeps): MtlsAuthenticator {
  const { name, trustDomain } = options;
  const authorities = openAuthorities(options, deps);
  const judge = trustDomain === undefined ? plainJudge(options) : svidJudge(options, trustDomain);
  const outcomes = deps.metrics.counter(
    "sallyport_certificate_verifications",
    "Certificates of callers that were looked at, once a connection and trust bundle, by outcome: verified, or why not.",
    ["authenticator", "outcome"],
  );
  /** Goes with the connection, and with this authenticator. */
  const known = new WeakMap<PeerTls, Known>();

  function verify(tls: PeerTls, nowMs: number): Verified | undefined {
    // Whether the listener takes it was looked at for this very request.
    if (tls.certificate === undefined) return undefined;
    const bundle = authorities?.current;
    const before = known.get(tls);
    if (before !== undefined && before.bundle === bundle && standsAt(before, nowMs)) {
      return before.result;
    }
    const found = look(tls, bundle, nowMs);
    known.set(tls, found);
    const told = found.first ?? found.result;
    if (told !== undefined) outcomes.with(name, isFailure(told) ? told.failure : "verified").inc();
    return told;
  }

  function look(tls: PeerTls, bundle: TrustBundle | undefined, nowMs: number): Known {
    const [leaf, ...others] = tls.presented.map(certificateIn);
    if (leaf === undefined) return { ...ALWAYS, bundle, result: undefined };
    const refuse = ({ failure, detail }: Refusal, until = Number.POSITIVE_INFINITY): Known => {
      const { thumbprint: credentialHash } = leaf;
      const result = { failure, detail, authenticator: name, credentialHash, costly: false };
      // What was found by signatures is counted against the caller once; afterwards it costs nothing.
      const first = failure === "identity-unavailable" ? undefined : { ...result, costly: true };
      return { ...ALWAYS, until, bundle, result, first };
    };
    if (!judge.claims(leaf)) return { ...ALWAYS, bundle, result: undefined };
    const chain = pathOf(leaf, { others, bundle });
    if (chain === undefined) return { ...ALWAYS, bundle, result: undefined };
    if ("failure" in chain) return refuse(chain);
    const standing = checkStanding(chain, undefined, nowMs);
    // Looked at anew by and by: its time may come.
    if (isChainFault(standing)) {
      const { reason: failure, detail } = standing;
      return refuse({ failure, detail }, nowMs + LIMITS.againMs);
    }
    const { maxLifetime } = options;
    if (maxLifetime !== undefined && leaf.notAfter - leaf.notBefore > maxLifetime) {
      return refuse(wrong(`${leaf.subject}: valid for longer than maxLifetime`));
    }
    const principal = judge.principal(leaf, chain);
    if ("detail" in principal) return refuse(wrong(`${leaf.subject}: ${principal.detail}`));
    const valid = (): boolean => authorities?.current === bundle;
    const result = factsOf(leaf, principal, { authenticator: name, ...standing, valid });
    return { ...standing, bundle, result, first: undefined };
  }

  /** Undefined: it is for somebody else. */
  function pathOf(
    leaf: Certificate,
    {
      others,
      bundle,
    }: { readonly others: readonly Certificate[]; readonly bundle: TrustBundle | undefined },
  ): Chain | Refusal | undefined {
    // Without authorities of its own, what the listener found is what there is to find.
    if (authorities === undefined) return { certificates: [leaf] };
    if (bundle === undefined) {
      const detail = "the trust bundle was never had, or is staler than its bound";
      return { failure: "identity-unavailable", detail };
    }
    const trust = { anchors: bundle.x509, lists: undefined };
    const found = findChain(leaf, { presented: others, trust, usage: CLIENT_AUTH });
    if (!isChainFault(found)) return found;
    if (trustDomain === undefined) return undefined;
    return wrong(`${found.detail} of the trust domain ${trustDomain}`);
  }

  return {
    name,
    proves: "certificate",
    configHash: hashOptions(options),
    vocabulary: { name, ...mtlsWords(options) },
    authorities,
    start: () => authorities?.start() ?? Promise.resolve(),
    keys: () => authorities?.figures(),
    verify,
    close: () => authorities?.close(),
  };
}

interface Refusal {
  readonly failure: Reason;
  readonly detail: string;
}

/** What was found about a connection, by which bundle, and while which times last. */
interface Known {
  readonly bundle: TrustBundle | undefined;
  readonly from: number;
  readonly until: number;
  readonly result: Verified | undefined;
  /** What is said the first time, where that differs. */
  readonly first?: CredentialFailure | undefined;
}

const ALWAYS = { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY } as const;

function standsAt({ from, until }: Known, nowMs: number): boolean {
  return nowMs >= from && nowMs < until;
}

/** Who a certificate is for, and whom it names. */
interface Judge {
  claims(leaf: Certificate): boolean;
  principal(leaf: Certificate, chain: Chain): Principal | { readonly detail: string };
}

function svidJudge({ name, principal, match }: Named, trustDomain: string): Judge {
  const ids = createSpiffeMatch(name, principal, match as readonly SpiffeRule[] | undefined);
  return {
    claims: (leaf) => claimsTrustDomain(leaf, trustDomain),
    principal(leaf, { certificates }) {
      const id = svidOf(leaf);
      if ("detail" in id) return id;
      const detail = signersFault(certificates.slice(1));
      return detail === undefined ? ids.principal({ trustDomain, path: id.path }) : { detail };
    },
  };
}

function plainJudge({ name, principal, match }: Named): Judge {
  return createPlainMatch(name, principal, match ?? []);
}

function openAuthorities(options: Named, deps: TrustBundleDeps): TrustBundleSource | undefined {
  const { name, trustDomain, bundle, ca } = options;
  if (trustDomain !== undefined && bundle !== undefined) {
    return openTrustBundle({ name, trustDomain, bundle, part: "x509-bundles" }, deps);
  }
  return ca === undefined
    ? undefined
    : createFileBundleSource({ name, file: ca, trustDomain: "" }, deps);
}

function wrong(detail: string): Refusal {
  return { failure: "wrong-identity", detail };
}

function factsOf(
  leaf: Certificate,
  principal: Principal,
  rest: Pick<CredentialFacts, "authenticator" | "valid"> & {
    readonly from: number;
    readonly until: number;
  },
): CredentialFacts {
  return Object.freeze({
    principal,
    authenticator: rest.authenticator,
    kind: "mtls",
    credentialHash: leaf.thumbprint,
    expiresAt: rest.until / 1000,
    notBefore: rest.from / 1000,
    // A cut-off of a revocation asks when a credential was issued.
    issuedAt: leaf.notBefore / 1000,
    clockSkew: 0,
    audience: undefined,
    acceptedAudience: NONE,
    scopes: NONE,
    tokenId: undefined,
    clientId: undefined,
    acr: undefined,
    amr: NONE,
    authenticatedAt: undefined,
    confirmation: undefined,
    actor: undefined,
    device: undefined,
    valid: rest.valid,
  });
}

const NONE: readonly string[] = Object.freeze([]);
