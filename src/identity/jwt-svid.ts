/**
 * Proves who sent a JWT-SVID (SPIFFE JWT-SVID specification): a signed token whose `sub` is a SPIFFE ID.
 *
 * Refuses algorithms that the specification does not name, types other than JWT and JOSE, tokens without
 * `kid` and keys that are not the trust domain's own for JWT-SVIDs, a `sub` that is no SPIFFE ID of the
 * trust domain or names it itself, tokens without `exp`, and IDs that no pattern fits. `iss` is not
 * looked at: the trust domain in `sub` says whose keys count (section 3.1).
 */
import type { VerificationKey } from "../crypto/jwk.ts";
import { verifyJws } from "../crypto/jws.ts";
import { parseSpiffeId, type SpiffeId } from "../crypto/spiffe-id.ts";
import type { CredentialFacts, CredentialFailure, Verified } from "../model/facts.ts";
import { isFailure } from "../model/facts.ts";
import type { PresentedToken, TokenAuthenticator } from "./authenticator.ts";
import { hashOptions } from "./config-hash.ts";
import { readActor, readConfirmation } from "./claims/confirmation.ts";
import type { JwtSvidOptions } from "./jwt-svid-options.ts";
import { mtlsWords } from "./mtls-options.ts";
import { createSpiffeMatch } from "./spiffe/spiffe-match.ts";
import { createTokenPrecheck, type TokenFault } from "./token-precheck.ts";
import { openTrustBundle, type TrustBundleDeps } from "./spiffe/trust-bundle-open.ts";
import type { TrustBundle } from "./spiffe/trust-bundle.ts";

/** Section 2.3: `typ` is optional, and one of these where it is there. */
const TYPES = ["JWT", "JOSE", "absent"] as const;

/** Throws ConfigError where a file that it names cannot be used. */
export function createJwtSvidAuthenticator(
  options: JwtSvidOptions & { readonly name: string },
  deps: TrustBundleDeps,
): TokenAuthenticator {
  const { name, trustDomain } = options;
  const bundles = openTrustBundle({ ...options, part: "jwt-bundles" }, deps);
  const ids = createSpiffeMatch(name, options.principal, options.match);
  const precheck = createTokenPrecheck(
    { ...options, types: [...TYPES], insecureIdTokens: false },
    deps.clock,
  );
  const acceptedAudience = Object.freeze([...(options.audience ?? [])]);
  const outcomes = deps.metrics.counter(
    "sallyport_token_verifications",
    "Tokens that were not known yet, by outcome: verified, or why not.",
    ["authenticator", "outcome"],
  );

  function verify(presented: PresentedToken): Verified {
    const result = look(presented);
    outcomes.with(name, isFailure(result) ? result.failure : "verified").inc();
    return result;
  }

  function look({ jws, credentialHash }: PresentedToken): Verified {
    const refuse = ({ fault, detail }: TokenFault, costly: boolean): CredentialFailure => ({
      failure: fault,
      detail,
      authenticator: name,
      credentialHash,
      costly,
    });
    if (jws === undefined) throw new TypeError("a token of a trust domain is a signed one");
    const token = precheck(jws);
    if ("fault" in token) return refuse(token, false);
    const id = idOf(jws.claims["sub"], trustDomain);
    if ("fault" in id) return refuse(id, false);
    const bundle = bundles.current;
    if (bundle === undefined) return refuse(UNAVAILABLE, false);
    const key = keyOf(bundle, jws.kid);
    if ("fault" in key) return refuse(key, true);
    if (!key.algorithms.has(token.algorithm)) return refuse(UNFIT, true);
    if (!verifyJws(jws, token.algorithm, key)) return refuse(NOT_SIGNED, true);
    const principal = ids.principal(id);
    if ("detail" in principal) {
      return refuse({ fault: "wrong-identity", detail: principal.detail }, true);
    }
    const confirmation = readConfirmation(jws.claims);
    if (confirmation !== undefined && "fault" in confirmation) return refuse(confirmation, true);
    const actor = readActor(jws.claims, name);
    if (actor !== undefined && "fault" in actor) return refuse(actor, true);
    const { kid, thumbprint } = key;
    return Object.freeze({
      ...token.registered,
      principal,
      authenticator: name,
      kind: "jwt-svid",
      credentialHash,
      clockSkew: token.clockSkew,
      acceptedAudience,
      confirmation,
      actor,
      device: undefined,
      // For as long as the trust domain has this key under this name.
      valid: () => bundles.current?.jwt.get(kid)?.thumbprint === thumbprint,
    } satisfies CredentialFacts);
  }

  return {
    name,
    proves: "token",
    takes: { by: "trust-domain", trustDomain },
    configHash: hashOptions(options),
    vocabulary: { name, ...mtlsWords(options) },
    start: () => bundles.start(),
    keys: () => bundles.figures(),
    verify,
    close: () => bundles.close(),
  };
}

function idOf(sub: unknown, trustDomain: string): SpiffeId | TokenFault {
  const id = typeof sub === "string" ? parseSpiffeId(sub) : undefined;
  if (id?.trustDomain === trustDomain && id.path !== "") return id;
  return {
    fault: "invalid-claim",
    detail: "claim sub: no SPIFFE ID of a workload of the trust domain",
  };
}

/** Section 2.2 lets `kid` be left out; every key of a bundle has one, and no other is tried. */
function keyOf(
  bundle: TrustBundle,
  kid: string | undefined,
): (VerificationKey & { readonly kid: string }) | TokenFault {
  const key = kid === undefined ? undefined : bundle.jwt.get(kid);
  if (kid === undefined || key === undefined) {
    return {
      fault: "unknown-key",
      detail:
        kid === undefined
          ? "it names no key (kid)"
          : "kid is none of the trust domain's keys for JWT-SVIDs",
    };
  }
  return { ...key, kid };
}

const UNAVAILABLE: TokenFault = Object.freeze({
  fault: "identity-unavailable",
  detail: "the trust bundle was never had, or is staler than its bound",
});

const UNFIT: TokenFault = Object.freeze({
  fault: "algorithm-not-allowed",
  detail: "alg does not fit the key that kid names",
});

const NOT_SIGNED: TokenFault = Object.freeze({
  fault: "invalid-signature",
  detail: "the signature does not verify under the trust domain's key",
});
