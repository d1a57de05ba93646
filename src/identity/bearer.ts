/**
 * The tokens that one route takes: which of its authenticators is asked, and what is already known
 * about a token.
 *
 * A token that begins with the prefix of one is that one's. A signed one goes to the authenticator
 * whose issuer is exactly its `iss`, and to no other: its `kid` is looked up among that issuer's keys
 * only, so issuers cannot answer for each other. One without a known issuer may be a JWT-SVID, whose
 * `sub` names its trust domain. What is left is for introspection, except what another issuer has
 * signed: a provider is not shown the tokens of another.
 */
import { hash } from "node:crypto";
import { readJws, type UnverifiedJws } from "../crypto/jws.ts";
import { ConfigError, type Problem } from "../model/errors.ts";
import { type CredentialFacts, type CredentialFailure, isFailure } from "../model/facts.ts";
import type { Verified } from "../model/facts.ts";
import type { Reason } from "../model/reason.ts";
import type { BearerVerifier } from "../model/verifiers.ts";
import type { Takes, TokenAuthenticator } from "./authenticator.ts";
import type { FactsCache } from "./facts-cache.ts";

export type BearerSet = BearerVerifier;

/**
 * `prefixes`: of API keys on any route. What looks like one and is not this route's is shown to no
 * provider. Throws ConfigError where two authenticators would take the same tokens.
 */
export function createBearerSet(
  authenticators: readonly TokenAuthenticator[],
  cache: FactsCache,
  prefixes: readonly string[] = [],
): BearerSet {
  const problems = bearerSetProblems(authenticators);
  if (problems.length > 0) throw new ConfigError(problems);
  const configHashes = authenticators.map((one) => one.configHash);
  const choose = createChoice(authenticators, prefixes);

  function recallByHash(credentialHash: string): CredentialFacts | undefined {
    for (const configHash of configHashes) {
      const facts = cache.get(configHash, credentialHash);
      if (facts !== undefined) return facts;
    }
    return undefined;
  }

  function verify(token: string): Verified | Promise<Verified> {
    const credentialHash = hashCredential(token);
    const known = recallByHash(credentialHash);
    if (known !== undefined) return known;
    const chosen = choose(token);
    if ("failure" in chosen) return { ...chosen, credentialHash, costly: false };
    const { authenticator, jws } = chosen;
    const keep = (result: Verified): Verified => {
      if (!isFailure(result)) cache.put(authenticator.configHash, result, token.length);
      return result;
    };
    const result = authenticator.verify({ token, jws, credentialHash });
    return result instanceof Promise ? result.then(keep) : keep(result);
  }

  return { recall: (token) => recallByHash(hashCredential(token)), verify };
}

type Choice =
  | { readonly authenticator: TokenAuthenticator; readonly jws: UnverifiedJws | undefined }
  | Pick<CredentialFailure, "failure" | "detail">;

/** Whose token it is, by what stands in it; nothing of it is verified yet. */
function createChoice(
  authenticators: readonly TokenAuthenticator[],
  foreign: readonly string[],
): (token: string) => Choice {
  const of = <By extends Takes["by"]>(by: By) =>
    authenticators.flatMap((one) =>
      one.takes.by === by ? [{ one, takes: one.takes as Extract<Takes, { by: By }> }] : [],
    );
  const prefixes = of("prefix");
  const byIssuer = new Map(of("issuer").map(({ one, takes }) => [takes.issuer, one]));
  const domains = of("trust-domain").map(({ one, takes }) => ({
    one,
    within: `spiffe://${takes.trustDomain}/`,
  }));
  const [rest] = of("rest");
  const refuse = (failure: Reason, detail: string) => ({ failure, detail });

  return (token) => {
    const prefixed = prefixes.find(({ takes }) => token.startsWith(takes.prefix));
    if (prefixed !== undefined) return { authenticator: prefixed.one, jws: undefined };
    const jws = readJws(token);
    if ("fault" in jws) {
      if (foreign.some((prefix) => looksLikeApiKey(token, prefix))) {
        return refuse("unknown-credential", "an API key, which this route does not take");
      }
      // One that was cut off or has a character too many is still somebody's signed token.
      if (rest === undefined || isSignedLike(token)) return refuse(jws.fault, jws.detail);
      return { authenticator: rest.one, jws: undefined };
    }
    const { iss: issuer, sub } = jws.claims;
    if (issuer !== undefined && typeof issuer !== "string") {
      return refuse("invalid-claim", "claim iss is not a text");
    }
    const known = issuer === undefined ? undefined : byIssuer.get(issuer);
    if (known !== undefined) return { authenticator: known, jws };
    const domain =
      typeof sub === "string" ? domains.find(({ within }) => sub.startsWith(within)) : undefined;
    if (domain !== undefined) return { authenticator: domain.one, jws };
    // A JWT-SVID is for whoever has its trust domain's keys, and good in the hands of whoever sees it.
    const ofOthers = typeof sub === "string" && sub.startsWith("spiffe:") && issuer === undefined;
    if (ofOthers) return refuse("unknown-issuer", "no authenticator has its trust domain");
    if (rest !== undefined && (issuer === undefined || issuer === rest.takes.issuer)) {
      return { authenticator: rest.one, jws };
    }
    if (issuer === undefined) return refuse("missing-claim", "claim iss is absent");
    // What came is not verified, and stays out of what operators read.
    return refuse("unknown-issuer", noneOf(byIssuer));
  };
}

function noneOf(byIssuer: ReadonlyMap<string, unknown>): string {
  if (byIssuer.size === 0) return "no authenticator of the route takes signed tokens by their iss";
  return `its iss is none of ${[...byIssuer.keys()].join(", ")}`;
}

/** A mistyped one, or one that was cut off or has something behind it, too: most of it is right. */
function looksLikeApiKey(token: string, prefix: string): boolean {
  return token.startsWith(prefix) && token.length >= prefix.length + KEY_CHARS;
}

/** Of the 49 behind a prefix; whoever has so many needs little to find the rest. */
const KEY_CHARS = 40;

/**
 * Whether a part of it begins as JSON objects do in base64url (`{"`). Encrypted tokens (JWE, RFC 7516
 * section 7.1) have five parts, of which the first alone does: whoever issued one can read it.
 */
function isSignedLike(token: string): boolean {
  const parts = token.split(".");
  const objects = parts.filter((part) => part.includes(OBJECT)).length;
  return objects > 1 || (objects === 1 && parts.length !== 5);
}

const OBJECT = "eyJ";

/** Which authenticators cannot stand beside each other on one route. */
export function bearerSetProblems(
  authenticators: readonly Pick<TokenAuthenticator, "name" | "takes">[],
): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [index, { name, takes }] of authenticators.entries()) {
    const other = authenticators
      .slice(0, index)
      .find((earlier) => sameTokens(earlier.takes, takes));
    if (other === undefined) continue;
    problems.push({
      message: `authenticators "${other.name}" and "${name}" ${SAME[takes.by]}, so either could take a token`,
      remedy: "one of them on this route",
    });
  }
  return problems;
}

const SAME: Readonly<Record<Takes["by"], string>> = {
  issuer: "have the same issuer",
  "trust-domain": "have the same trust domain",
  prefix: "have prefixes of which one begins with the other",
  rest: "both take what no other does",
};

/** Whether one token could be for both. */
export function sameTokens(a: Takes, b: Takes): boolean {
  if (a.by === "issuer" && b.by === "issuer") return a.issuer === b.issuer;
  if (a.by === "trust-domain" && b.by === "trust-domain") return a.trustDomain === b.trustDomain;
  if (a.by === "prefix" && b.by === "prefix") {
    return a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix);
  }
  if (a.by === "rest" && b.by === "rest") return true;
  // An issuer's tokens are for one authenticator: the one that has its keys goes first, silently.
  const [issuer, rest] = a.by === "issuer" ? [a, b] : [b, a];
  return issuer.by === "issuer" && rest.by === "rest" && issuer.issuer === rest.issuer;
}

/** base64url SHA-256 of a credential: what stands for it in records and caches. */
export function hashCredential(credential: string): string {
  return hash("sha256", credential, "base64url");
}
