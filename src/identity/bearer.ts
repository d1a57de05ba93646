/**
 * The bearer tokens that one route takes: which of its authenticators is asked, and what is
 * already known about a token.
 *
 * A token goes to the authenticator whose issuer is exactly its `iss`, and to no other: its `kid`
 * is looked up among that issuer's keys only, so issuers cannot answer for each other.
 */
import { hash } from "node:crypto";
import { readJws } from "../crypto/jws.ts";
import { ConfigError, type Problem } from "../model/errors.ts";
import type { CredentialFacts, CredentialFailure } from "../model/facts.ts";
import { isFailure } from "../model/facts.ts";
import type { Reason } from "../model/reason.ts";
import type { FactsCache } from "./facts-cache.ts";
import type { JwtAuthenticator } from "./jwt.ts";

export interface BearerSet {
  /** Facts that are already at hand for this token, without any verification. */
  recall(token: string): CredentialFacts | undefined;
  /**
   * Facts, from the cache or by verification, or why there are none. A promise only where keys are
   * fetched; never rejects and never throws. Times and audience are still to be checked
   * (`checkFacts`), on every use.
   */
  verify(
    token: string,
  ): CredentialFacts | CredentialFailure | Promise<CredentialFacts | CredentialFailure>;
}

type Result = CredentialFacts | CredentialFailure;

/** Throws ConfigError where two authenticators have the same issuer. */
export function createBearerSet(
  authenticators: readonly JwtAuthenticator[],
  cache: FactsCache,
): BearerSet {
  const problems = bearerSetProblems(authenticators);
  if (problems.length > 0) throw new ConfigError(problems);
  const byIssuer = new Map(authenticators.map((one) => [one.issuer, one]));
  const configHashes = authenticators.map((one) => one.configHash);

  function recallByHash(credentialHash: string): CredentialFacts | undefined {
    for (const configHash of configHashes) {
      const facts = cache.get(configHash, credentialHash);
      if (facts !== undefined) return facts;
    }
    return undefined;
  }

  function verify(token: string): Result | Promise<Result> {
    const credentialHash = hashCredential(token);
    const refuse = (failure: Reason, detail: string): CredentialFailure => ({
      failure,
      detail,
      credentialHash,
      costly: false,
    });
    const known = recallByHash(credentialHash);
    if (known !== undefined) return known;
    const jws = readJws(token);
    if ("fault" in jws) return refuse(jws.fault, jws.detail);
    const issuer = jws.claims["iss"];
    if (issuer === undefined) return refuse("missing-claim", "claim iss is absent");
    if (typeof issuer !== "string") return refuse("invalid-claim", "claim iss is not a text");
    const authenticator = byIssuer.get(issuer);
    if (authenticator === undefined)
      return refuse("unknown-issuer", "no authenticator has its iss");
    const keep = (result: Result): Result => {
      if (!isFailure(result)) cache.put(authenticator.configHash, result, token.length);
      return result;
    };
    const result = authenticator.verify(jws, credentialHash);
    return result instanceof Promise ? result.then(keep) : keep(result);
  }

  return { recall: (token) => recallByHash(hashCredential(token)), verify };
}

/** Which authenticators cannot stand beside each other on one route. */
export function bearerSetProblems(
  authenticators: readonly Pick<JwtAuthenticator, "name" | "issuer">[],
): readonly Problem[] {
  const names = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { name, issuer } of authenticators) {
    const other = names.get(issuer);
    if (other === undefined) names.set(issuer, name);
    else {
      problems.push({
        message: `authenticators "${other}" and "${name}" have the same issuer, so either could take a token`,
        remedy: "one of them on this route",
      });
    }
  }
  return problems;
}

/** base64url SHA-256 of a credential: what stands for it in records and caches. */
export function hashCredential(credential: string): string {
  return hash("sha256", credential, "base64url");
}
