/**
 * Proves which service account of a Kubernetes cluster sent a token, and from which pod: projected
 * (bound) tokens, verified under the keys that the API server publishes, and with `review` by asking it
 * about each token too.
 *
 * Refuses the tokens of old that lie in secrets and never end, tokens whose claims disagree, and all
 * that `token-precheck.ts` and `kubernetes-claims.ts` refuse. What a token is meant for is looked at on every
 * request: a pod's usual token is for the API server, and whoever gets one must not be able to use it here.
 */
import {
  type CredentialFacts,
  type CredentialFailure,
  isFailure,
  type Verified,
} from "../model/facts.ts";
import type { Clock, DocumentFetcher, JsonClient, Log, Metrics, Timers } from "../model/ports.ts";
import { type AskedFacts, createAskedFacts, type Told } from "./asked/asked-facts.ts";
import { askedOptions } from "./asked/asked-options.ts";
import type { AskedPool } from "./asked/asked-pool.ts";
import type { PresentedToken, TokenAuthenticator } from "./authenticator.ts";
import { readConfirmation } from "./claims/confirmation.ts";
import { hashOptions } from "./config-hash.ts";
import { ABSENT_TYPE } from "./jwt-options.ts";
import type { KeySetPool } from "./key-set/key-set-pool.ts";
import { createRemoteKeySet, type KeySet, type TrustedKey } from "./key-set/key-set.ts";
import { readServiceAccount } from "./kubernetes/kubernetes-claims.ts";
import { createKubernetesKeySource } from "./kubernetes/kubernetes-keys.ts";
import { kubernetesFiles, KUBERNETES_WORDS, type KubernetesOptions } from "./kubernetes-options.ts";
import { createTokenReview } from "./kubernetes/kubernetes-review.ts";
import { findSigner } from "./key-set/signer.ts";
import { createTokenPrecheck, type PlausibleToken, type TokenFault } from "./token-precheck.ts";

export interface KubernetesDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Where fetched key sets and answers are shared across reloads; without them each has its own. */
  readonly keySets?: KeySetPool;
  readonly asked?: AskedPool;
  /** These trust and show what the files hold. */
  readonly documentFetcher: (files: Files) => DocumentFetcher;
  readonly jsonClient: (files: Files) => JsonClient;
}

const DEFAULT_TIMEOUT_MS = 5000;

type Files = ReturnType<typeof kubernetesFiles>;
type Named = KubernetesOptions & { readonly name: string };

/** Asks nobody yet. */
export function createKubernetesAuthenticator(
  options: Named,
  deps: KubernetesDeps,
): TokenAuthenticator {
  const { name, issuer, algorithms, clockSkew } = options;
  if (options.insecureHttp) {
    deps.log.warn("an insecure option is on", { authenticator: name, option: "insecureHttp" });
  }
  const keys = openKeys(options, deps);
  const precheck = createTokenPrecheck(
    {
      algorithms,
      clockSkew,
      types: ["JWT", ABSENT_TYPE],
      maxAge: undefined,
      insecureIdTokens: false,
    },
    deps.clock,
  );
  const reviewed = options.review ? createReviewed(options, deps) : undefined;
  const acceptedAudience = Object.freeze([...options.audience]);
  const outcomes = deps.metrics.counter(
    "sallyport_token_verifications",
    "Tokens that were not known yet, by outcome: verified, or why not.",
    ["authenticator", "outcome"],
  );
  const counted = (result: Verified): Verified => {
    outcomes.with(name, isFailure(result) ? result.failure : "verified").inc();
    return result;
  };

  function verify(presented: PresentedToken): Verified | Promise<Verified> {
    const { jws, credentialHash } = presented;
    if (jws === undefined) throw new TypeError("a token with an issuer is a signed one");
    const refuse = ({ fault, detail }: TokenFault, costly: boolean): CredentialFailure => {
      return { failure: fault, detail, authenticator: name, credentialHash, costly };
    };
    const token = precheck(jws);
    if ("fault" in token) return counted(refuse(token, false));
    const finish = (signer: TrustedKey | TokenFault): Verified | Promise<Verified> => {
      // The cluster's failure is no fault of the caller's.
      if ("fault" in signer) return refuse(signer, signer.fault !== "identity-unavailable");
      const principal = readServiceAccount(jws.claims, name);
      if ("fault" in principal) return refuse(principal, true);
      const confirmation = readConfirmation(jws.claims);
      if (confirmation !== undefined && "fault" in confirmation) return refuse(confirmation, true);
      const facts = factsOf(token, { principal, confirmation, credentialHash });
      if (reviewed === undefined) return Object.freeze({ ...facts, valid: signer.valid });
      // Nobody is asked about what is meant for somebody else.
      if (!facts.audience?.some((one) => acceptedAudience.includes(one))) {
        return refuse({ fault: "wrong-audience", detail: "none of the authenticator's" }, true);
      }
      return reviewed(presented.token, facts, signer.valid);
    };
    const signer = findSigner(keys, jws, token.algorithm);
    const result = signer instanceof Promise ? signer.then(finish) : finish(signer);
    return result instanceof Promise ? result.then(counted) : counted(result);
  }

  function factsOf(
    token: PlausibleToken,
    rest: Pick<CredentialFacts, "principal" | "confirmation" | "credentialHash">,
  ): Omit<CredentialFacts, "valid"> {
    return {
      ...token.registered,
      ...rest,
      actor: undefined,
      device: undefined,
      authenticator: name,
      kind: "kubernetes",
      clockSkew: token.clockSkew,
      acceptedAudience,
    };
  }

  return {
    name,
    proves: "token",
    takes: { by: "issuer", issuer },
    configHash: hashOptions(options),
    vocabulary: { name, ...KUBERNETES_WORDS },
    start: () => keys.start(),
    keys: () => keys.figures(),
    verify,
    close() {
      keys.close();
      reviewed?.close();
    },
  };
}

function openKeys(options: Named, deps: KubernetesDeps): KeySet {
  const { name, issuer, apiServer, keys } = options;
  const files = kubernetesFiles(options);
  const create = (): KeySet =>
    createRemoteKeySet(
      createKubernetesKeySource(
        { issuer, apiServer, timeoutMs: keys.timeout },
        { fetcher: deps.documentFetcher(files) },
      ),
      {
        authenticator: name,
        minRefreshMs: keys.minRefresh,
        maxRefreshMs: keys.maxRefresh,
        cooldownMs: keys.cooldown,
        keepMs: keys.keep,
      },
      deps,
    );
  const id = hashOptions({ type: "kubernetes", name, issuer, apiServer, files, keys });
  return deps.keySets?.open(id, create) ?? create();
}

interface Reviewed {
  (
    token: string,
    facts: Omit<CredentialFacts, "valid">,
    holds: () => boolean,
  ): Verified | Promise<Verified>;
  close(): void;
}

/** The signature comes first: an API server is not bothered with what it has not signed. */
function createReviewed(options: Named, deps: KubernetesDeps): Reviewed {
  const { apiServer, audience, timeout = DEFAULT_TIMEOUT_MS } = options;
  const client = deps.jsonClient(kubernetesFiles(options));
  const review = createTokenReview({ apiServer, audience, timeoutMs: timeout }, client);
  const create = (): AskedFacts => createAskedFacts(askedOptions({ ...options, timeout }), deps);
  const asked = deps.asked?.open(hashOptions(options), create) ?? create();
  const ask = (token: string, facts: Omit<CredentialFacts, "valid">, holds: () => boolean) =>
    asked.about(facts.credentialHash, async (): Promise<Told> => {
      return (await review(token, facts.principal)) ?? { facts, holds };
    });
  return Object.assign(ask, { close: () => asked.close() });
}
