/**
 * Proves who sent a signed token: RFC 9068 access tokens and plain JWTs (RFC 7519), verified as
 * RFC 8725 advises.
 *
 * Refuses algorithms and types that are not listed, keys that its issuer does not vouch for,
 * signatures that do not fit, tokens without `exp`, and ID tokens (unless `insecureIdTokens`).
 * A token that is bound to a key (`cnf`, RFC 7800) comes out as `bound`: without the proof it may
 * be somebody's stolen property, and the gate does not take it. No detail holds any part of a
 * token.
 */
import type { UnverifiedJws } from "../crypto/jws.ts";
import { isFailure, type CredentialFacts, type CredentialFailure } from "../model/facts.ts";
import type { Log } from "../model/ports.ts";
import type { VocabularyAuthenticator } from "../model/vocabulary.ts";
import { createClaimMapper } from "./claims.ts";
import { hashOptions } from "./config-hash.ts";
import { openKeys, type JwtKeysDeps } from "./jwt-keys.ts";
import type { JwtOptions } from "./jwt-options.ts";
import type { KeySetFigures, TrustedKey } from "./key-set.ts";
import { findSigner } from "./signer.ts";
import { createTokenPrecheck, type PlausibleToken, type TokenFault } from "./token-precheck.ts";

export interface JwtAuthenticator {
  readonly name: string;
  /** `iss` of the tokens that it takes, exactly. */
  readonly issuer: string;
  /** base64url SHA-256 of its name and options: under it its facts are cached. */
  readonly configHash: string;
  /** Its own audience; empty when it has none, then each of its routes must have one. */
  readonly acceptedAudience: readonly string[];
  /** What its principals can be, for the schema of policies. */
  readonly vocabulary: VocabularyAuthenticator;
  /** Fetches keys, and keeps them current from then on. Resolves after the first try; never rejects. */
  start(): Promise<void>;
  /** Verifies a token whose `iss` is its issuer. A promise only where keys are fetched; never rejects. */
  verify(jws: UnverifiedJws, credentialHash: string): Verified | Promise<Verified>;
  /** How its issuer's keys do. */
  keys(): KeySetFigures;
  /** Stops fetching. What it verified is valid no more, unless its keys are shared in a pool. */
  close(): void;
}

export type Verified = CredentialFacts | CredentialFailure;

export type JwtDeps = JwtKeysDeps;

/** Throws ConfigError where a key file cannot be read or used. */
export function createJwtAuthenticator(
  options: JwtOptions & { readonly name: string },
  deps: JwtDeps,
): JwtAuthenticator {
  const { name, issuer } = options;
  warnOfInsecurity(options, deps.log);
  const keys = openKeys(options, deps);
  const mapper = createClaimMapper(name, options.principal);
  const precheck = createTokenPrecheck(options, deps.clock);
  const acceptedAudience = Object.freeze([...(options.audience ?? [])]);
  const outcomes = deps.metrics.counter(
    "sallyport_token_verifications",
    "Tokens that were not known yet, by outcome: verified, or why not.",
    ["authenticator", "outcome"],
  );

  function verify(jws: UnverifiedJws, credentialHash: string): Verified | Promise<Verified> {
    const counted = (result: Verified): Verified => {
      outcomes.with(name, isFailure(result) ? result.failure : "verified").inc();
      return result;
    };
    const refuse = ({ fault, detail }: TokenFault, costly: boolean): CredentialFailure => ({
      failure: fault,
      detail,
      authenticator: name,
      credentialHash,
      costly,
    });
    const token = precheck(jws);
    if ("fault" in token) return counted(refuse(token, false));
    const finish = (signer: TrustedKey | TokenFault): Verified => {
      // The provider's failure is no fault of the caller's.
      if ("fault" in signer) return refuse(signer, signer.fault !== "identity-unavailable");
      const principal = mapper.principal(jws.claims);
      if ("fault" in principal) return refuse(principal, true);
      return factsOf(token, signer, { principal, credentialHash, bound: "cnf" in jws.claims });
    };
    const signer = findSigner(keys, jws, token.algorithm);
    return signer instanceof Promise
      ? signer.then((found) => counted(finish(found)))
      : counted(finish(signer));
  }

  function factsOf(
    token: PlausibleToken,
    signer: TrustedKey,
    rest: Pick<CredentialFacts, "principal" | "credentialHash" | "bound">,
  ): CredentialFacts {
    return Object.freeze({
      ...token.registered,
      ...rest,
      authenticator: name,
      kind: "jwt",
      clockSkew: token.clockSkew,
      acceptedAudience,
      valid: signer.valid,
    });
  }

  return {
    name,
    issuer,
    configHash: hashOptions(options),
    acceptedAudience,
    vocabulary: mapper.vocabulary,
    start: () => keys.start(),
    keys: () => keys.figures(),
    verify,
    close: () => keys.close(),
  };
}

function warnOfInsecurity(options: JwtOptions & { readonly name: string }, log: Log): void {
  for (const option of ["insecureHttp", "insecureIdTokens"] as const) {
    if (options[option]) {
      log.warn("an insecure option is on", { authenticator: options.name, option });
    }
  }
}
