/**
 * Proves who shows a provisioning key: an access token (RFC 9068) that our own authority has issued. It
 * stands for its principal as the authenticator knew it that it was issued to.
 *
 * Refuses another issuer and another `typ`, algorithms that the authority does not sign with, keys that it
 * does not publish for tokens (what it signs for another use never verifies here), keys without `exp`,
 * `iat`, `jti`, `client_id` or `aud`, claims that are not known here, and a principal that does not fit
 * what the configuration declares now. No detail holds any part of a key.
 */
import type { UnverifiedJws } from "../crypto/jws.ts";
import {
  isFailure,
  type CredentialFacts,
  type CredentialFailure,
  type Verified,
} from "../model/facts.ts";
import { KEY_KIND, KEY_TYPE } from "../model/issued-keys.ts";
import type { Clock, Metrics } from "../model/ports.ts";
import { principalId } from "../model/principal.ts";
import { type PublishedKeys, SIGNING_ALGORITHMS } from "../model/signing.ts";
import type { VocabularyAuthenticator } from "../model/vocabulary.ts";
import type { PresentedToken, TokenAuthenticator } from "./authenticator.ts";
import { checkTimes } from "./checks.ts";
import { clientWords } from "./claims/client-principal.ts";
import { readConfirmation } from "./claims/confirmation.ts";
import { type RegisteredClaims, readRegisteredClaims } from "./claims/registered-claims.ts";
import { hashOptions } from "./config-hash.ts";
import { readIssuedClaims } from "./issued/issued-claims.ts";
import { createIssuedKeys } from "./issued/issued-keys.ts";
import { createIssuedPrincipals } from "./issued/issued-principal.ts";
import type { SallyportOptions } from "./sallyport-options.ts";
import type { TokenFault } from "./token-precheck.ts";

export interface SallyportAuthenticator extends TokenAuthenticator {
  readonly takes: { readonly by: "issuer"; readonly issuer: string };
  verify(presented: PresentedToken): Verified;
}

export interface SallyportDeps {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly publishedKeys: PublishedKeys;
  /** What all authenticators of the configuration declare: keys stand for principals of theirs. */
  readonly vocabulary: readonly VocabularyAuthenticator[];
}

export function createSallyportAuthenticator(
  options: SallyportOptions & { readonly name: string },
  { clock, metrics, publishedKeys, vocabulary }: SallyportDeps,
): SallyportAuthenticator {
  const { name, issuer } = options;
  if (issuer === undefined) throw new TypeError("the issuer of keys is not known");
  const clockSkew = options.clockSkew / 1000;
  const words: VocabularyAuthenticator = { name, ...clientWords(options.principal) };
  const others = vocabulary.filter((one) => one.name !== name);
  const readIdentity = createIssuedPrincipals([words, ...others]);
  const keys = createIssuedKeys(publishedKeys);
  const outcomes = metrics.counter(
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
    if (jws === undefined) throw new TypeError("a token with an issuer is a signed one");
    const registered = precheck(jws);
    if ("fault" in registered) return refuse(registered, false);
    const signer = keys.verify(jws);
    if ("fault" in signer) return refuse(signer, signer.fault !== "identity-unavailable");
    const said = readClaims(jws, registered);
    if ("fault" in said) return refuse(said, true);
    return Object.freeze({
      ...registered,
      ...said,
      authenticator: name,
      kind: KEY_KIND,
      credentialHash,
      clockSkew,
      // `aud` names services, which the gate compares with the route's own.
      audience: undefined,
      acceptedAudience: NONE,
      valid: signer.valid,
    } satisfies CredentialFacts);
  }

  /** At no cost: an expired key, the commonest bad one, neither costs a signature check nor counts. */
  function precheck({ type, algorithm, claims }: UnverifiedJws): RegisteredClaims | TokenFault {
    if (type !== KEY_TYPE) {
      return { fault: "invalid-token-type", detail: `typ is not exactly ${KEY_TYPE}` };
    }
    if (!(SIGNING_ALGORITHMS as readonly string[]).includes(algorithm)) {
      return {
        fault: "algorithm-not-allowed",
        detail: "alg is none that the authority signs with",
      };
    }
    const registered = readRegisteredClaims(claims);
    if ("fault" in registered) return registered;
    const { issuedAt, tokenId, clientId } = registered;
    if (issuedAt === undefined) return absent("iat");
    if (tokenId === undefined || tokenId === "") return absent("jti");
    if (clientId === undefined || clientId === "") return absent("client_id");
    const fault = checkTimes({ ...registered, clockSkew }, clock.now());
    if (fault !== undefined) return { fault, detail: "by its times; nothing was verified" };
    return registered;
  }

  function readClaims({ claims }: UnverifiedJws, { audience = NONE }: RegisteredClaims) {
    const identity = readIdentity(claims);
    if ("fault" in identity) return identity;
    if (claims["sub"] !== principalId(identity.principal)) {
      return { fault: "invalid-claim", detail: "claim sub is not its principal" } as const;
    }
    const confirmation = readConfirmation(claims);
    if (confirmation !== undefined && "fault" in confirmation) return confirmation;
    const issued = readIssuedClaims(claims, { audience, name });
    if ("fault" in issued) return issued;
    return { ...identity, ...issued, confirmation };
  }

  return {
    name,
    proves: "token",
    takes: { by: "issuer", issuer },
    // What others declare decides what a key can say.
    configHash: hashOptions({ ...options, others }),
    vocabulary: words,
    start: () => Promise.resolve(),
    keys: () => ({ usable: keys.size, fetchedMs: undefined, failures: 0 }),
    verify,
    close: () => undefined,
  };
}

const NONE: readonly string[] = Object.freeze([]);

function absent(claim: string): TokenFault {
  return { fault: "missing-claim", detail: `claim ${claim} is absent` };
}
