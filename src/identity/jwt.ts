/**
 * Proves who sent a signed token: RFC 9068 access tokens and plain JWTs (RFC 7519), verified as
 * RFC 8725 advises.
 *
 * Refuses algorithms and types that are not listed, keys that its issuer does not vouch for,
 * signatures that do not fit, tokens without `exp`, and ID tokens (unless `insecureIdTokens`).
 * What a token is bound to (`cnf`, RFC 7800) comes out as its confirmation: without the proof it may
 * be somebody's stolen property, and the gate does not take it. No detail holds any part of a
 * token.
 */
import {
  isFailure,
  type CredentialFacts,
  type CredentialFailure,
  type Verified,
} from "../model/facts.ts";
import type { Log } from "../model/ports.ts";
import type { PresentedToken, TokenAuthenticator } from "./authenticator.ts";
import { type ClaimFacts, readClaimFacts } from "./claims/claim-facts.ts";
import { createClaimMapper } from "./claims/claims.ts";
import { hashOptions } from "./config-hash.ts";
import { openKeys, type JwtKeysDeps } from "./key-set/jwt-keys.ts";
import type { JwtOptions } from "./jwt-options.ts";
import type { KeySetFigures, TrustedKey } from "./key-set/key-set.ts";
import { findSigner } from "./key-set/signer.ts";
import { createTokenPrecheck, type PlausibleToken, type TokenFault } from "./token-precheck.ts";

export interface JwtAuthenticator extends TokenAuthenticator {
  /** `iss` of the tokens that it takes, exactly. */
  readonly takes: { readonly by: "issuer"; readonly issuer: string };
  keys(): KeySetFigures;
  /** Verifies a token whose `iss` is its issuer. */
  verify(presented: PresentedToken): Verified | Promise<Verified>;
}

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

  function verify({ jws, credentialHash }: PresentedToken): Verified | Promise<Verified> {
    if (jws === undefined) throw new TypeError("a token with an issuer is a signed one");
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
      const said = readClaimFacts(jws.claims, mapper);
      if ("fault" in said) return refuse(said, true);
      return factsOf(token, signer, { ...said, credentialHash });
    };
    const signer = findSigner(keys, jws, token.algorithm);
    return signer instanceof Promise
      ? signer.then((found) => counted(finish(found)))
      : counted(finish(signer));
  }

  function factsOf(
    token: PlausibleToken,
    signer: TrustedKey,
    rest: ClaimFacts & Pick<CredentialFacts, "credentialHash">,
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
    proves: "token",
    takes: { by: "issuer", issuer },
    configHash: hashOptions(options),
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
