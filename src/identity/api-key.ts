/**
 * Proves who holds an API key that our own authority has made: a shared secret, so for callers that can
 * do nothing better. Whoever sees a key can use it until it ends.
 *
 * Refuses what is not in the form of a key of its prefix or fails its checksum (without a look-up),
 * what was never made here or was made for another authenticator, what has expired, and what was
 * revoked. No detail holds any part of a key.
 */
import { apiKeyFault, type ApiKeyFault } from "../crypto/api-key-text.ts";
import type { ApiKeys, KnownApiKey } from "../model/api-keys.ts";
import { isFailure, type CredentialFacts, type Verified } from "../model/facts.ts";
import type { Clock, Metrics } from "../model/ports.ts";
import type { Reason } from "../model/reason.ts";
import { type ApiKeyOptions, apiKeyPrincipal } from "./api-key-options.ts";
import type { PresentedToken, TokenAuthenticator } from "./authenticator.ts";
import { type ClaimMapper, createClaimMapper, isClaimFault } from "./claims/claims.ts";
import { hashOptions } from "./config-hash.ts";

const LIMITS = {
  /** Milliseconds between two tellings that a key was used. */
  useMs: 60_000,
} as const;

export interface ApiKeyAuthenticator extends TokenAuthenticator {
  readonly takes: { readonly by: "prefix"; readonly prefix: string };
  readonly field: string;
  verify(presented: Pick<PresentedToken, "token" | "credentialHash">): Verified;
}

export interface ApiKeyDeps {
  readonly apiKeys: ApiKeys;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export function createApiKeyAuthenticator(
  options: ApiKeyOptions & { readonly name: string },
  { apiKeys, clock, metrics }: ApiKeyDeps,
): ApiKeyAuthenticator {
  const { name, prefix, field } = options;
  const mapper = createClaimMapper(name, apiKeyPrincipal(options));
  const outcomes = metrics.counter(
    "sallyport_token_verifications",
    "Tokens that were not known yet, by outcome: verified, or why not.",
    ["authenticator", "outcome"],
  );

  function verify({
    token,
    credentialHash,
  }: Pick<PresentedToken, "token" | "credentialHash">): Verified {
    const result = judge(token, credentialHash);
    outcomes.with(name, isFailure(result) ? result.failure : "verified").inc();
    return result;
  }

  function judge(token: string, credentialHash: string): Verified {
    const refuse = (failure: Reason, detail: string, costly = false): Verified => ({
      failure,
      detail,
      authenticator: name,
      credentialHash,
      costly,
    });
    const fault = apiKeyFault(token, prefix);
    if (fault !== undefined) return refuse("malformed-credential", DETAILS[fault]);
    const known = apiKeys.find(token);
    // Of another authenticator: to its callers the same as none, so that they cannot find out.
    if (known === undefined || known.authenticator !== name) {
      return refuse("unknown-credential", "no such API key of this authenticator", true);
    }
    if (known.revoked) return refuse("credential-revoked", `API key ${known.id} was revoked`);
    if (clock.now() >= known.expiresMs) {
      return refuse("token-expired", `API key ${known.id} has expired`);
    }
    const principal = principalOf(mapper, known);
    if (isClaimFault(principal)) {
      return refuse(principal.fault, `API key ${known.id}: ${principal.detail}`);
    }
    return factsOf(known, principal, credentialHash);
  }

  function factsOf(
    known: KnownApiKey,
    principal: CredentialFacts["principal"],
    credentialHash: string,
  ): CredentialFacts {
    const { id, scopes, services } = known;
    return Object.freeze({
      principal,
      authenticator: name,
      kind: "api-key",
      credentialHash,
      expiresAt: known.expiresMs / 1000,
      notBefore: undefined,
      // By the store's clock, which may be a few seconds ahead of ours; a cut-off is by it too.
      issuedAt: Math.min(known.createdMs, clock.now()) / 1000,
      clockSkew: 0,
      audience: undefined,
      acceptedAudience: NONE,
      services,
      scopes,
      tokenId: id,
      clientId: undefined,
      acr: undefined,
      amr: NONE,
      authenticatedAt: undefined,
      confirmation: undefined,
      actor: undefined,
      device: undefined,
      valid: standing(apiKeys, known),
      ended: () => apiKeys.ended(known),
      used: useOf(apiKeys, id),
    });
  }

  return {
    name,
    proves: "token",
    takes: { by: "prefix", prefix },
    field,
    configHash: hashOptions(options),
    vocabulary: mapper.vocabulary,
    start: () => Promise.resolve(),
    keys: () => undefined,
    verify,
    close: () => undefined,
  };
}

/** What is wrong with what is to be said of a key, by the authenticator that it is for. */
export function apiKeyMapper(
  options: ApiKeyOptions,
): (key: Pick<KnownApiKey, "subject" | "roles" | "groups" | "attributes">) => string | undefined {
  const mapper = createClaimMapper("api-key", apiKeyPrincipal(options));
  const declared = new Set(Object.keys(options.principal.attributes));
  return (key) => {
    const other = Object.keys(key.attributes).find((name) => !declared.has(name));
    if (other !== undefined) return `attribute ${other} is not declared by the authenticator`;
    const principal = principalOf(mapper, key);
    return isClaimFault(principal) ? principal.detail.replace(/^claim /, "") : undefined;
  };
}

const NONE: readonly string[] = Object.freeze([]);

const DETAILS: Readonly<Record<ApiKeyFault, string>> = {
  prefix: "it does not begin with the prefix of this authenticator",
  length: "it has another length than an API key: cut short, or with something at its end",
  characters: "it holds what no API key has",
  checksum: "its checksum does not fit: mistyped, or changed in case",
};

function principalOf(
  mapper: ClaimMapper,
  {
    subject,
    roles,
    groups,
    attributes,
  }: Pick<KnownApiKey, "subject" | "roles" | "groups" | "attributes">,
): ReturnType<ClaimMapper["principal"]> {
  return mapper.principal({ owner: subject, roles, groups, attributes });
}

/** Told at most once a minute: nobody wants to know it closer. */
function useOf(apiKeys: ApiKeys, id: string): (nowMs: number) => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (nowMs) => {
    if (nowMs - toldMs < LIMITS.useMs) return;
    toldMs = nowMs;
    apiKeys.used(id, nowMs);
  };
}

/** Whether the authority says the same of it as when it was verified: asked on every request. */
function standing(apiKeys: ApiKeys, known: KnownApiKey): () => boolean {
  let version = apiKeys.version;
  let stands = true;
  return () => {
    if (version !== apiKeys.version) {
      stands = stands && apiKeys.stands(known);
      version = apiKeys.version;
    }
    return stands;
  };
}
