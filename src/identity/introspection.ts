/**
 * Proves who sent a token that only its provider can read: by asking it (RFC 7662).
 *
 * Refuses tokens that the provider calls inactive, answers of another issuer than the configured one,
 * and tokens that are active but no access tokens (refresh and ID tokens are, at some providers). An
 * answer that is not what RFC 7662 section 2.2 says counts as none: `"active": "true"` vouches for
 * nobody. How long an answer counts, and what happens while there is none, is in `asked-facts.ts`.
 *
 * The token goes to the provider and nowhere else; no detail and no error holds any part of it.
 */
import { SallyportError } from "../model/errors.ts";
import { isFailure, type Verified } from "../model/facts.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../model/json.ts";
import type { Clock, JsonClient, Log, Metrics, Timers } from "../model/ports.ts";
import { type AskedFacts, createAskedFacts, type Told } from "./asked/asked-facts.ts";
import { askedOptions } from "./asked/asked-options.ts";
import type { AskedPool } from "./asked/asked-pool.ts";
import type { PresentedToken, TokenAuthenticator } from "./authenticator.ts";
import { checkTimes } from "./checks.ts";
import { readClaimFacts } from "./claims/claim-facts.ts";
import { createClaimMapper } from "./claims/claims.ts";
import { createClientAuthentication } from "./asked/client-authentication.ts";
import { hashOptions } from "./config-hash.ts";
import type { IntrospectionOptions } from "./introspection-options.ts";
import { NO_EXPIRY, readRegisteredClaims } from "./claims/registered-claims.ts";
import type { TokenFault } from "./token-precheck.ts";

export interface IntrospectionDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Throws what the file system throws. */
  readonly readFile: (path: string) => Uint8Array;
  /** A client that trusts and shows what these files hold. */
  readonly jsonClient: (files: {
    readonly ca?: string | undefined;
    readonly certificate?: string | undefined;
    readonly key?: string | undefined;
  }) => JsonClient;
  /** Where answers are shared across reloads; without it each authenticator has its own. */
  readonly asked?: AskedPool;
}

const LIMITS = {
  /** An answer has the claims of one token; the largest with groups have some 20 KB. */
  answerBytes: 256 * 1024,
} as const;

type Named = IntrospectionOptions & { readonly name: string };

/** Throws SallyportError `key-invalid` where the client's key cannot be used. Asks nothing yet. */
export function createIntrospectionAuthenticator(
  options: Named,
  deps: IntrospectionDeps,
): TokenAuthenticator {
  const { name, issuer } = options;
  warnOfInsecurity(options, deps.log);
  const mapper = createClaimMapper(name, options.principal);
  const judge = createJudge(options, { mapper, clock: deps.clock });
  const question = createQuestion(options, deps);
  const configHash = hashOptions(options);
  const create = (): AskedFacts => createAskedFacts(askedOptions(options), deps);
  const asked = deps.asked?.open(configHash, create) ?? create();
  const outcomes = deps.metrics.counter(
    "sallyport_token_verifications",
    "Tokens that were not known yet, by outcome: verified, or why not.",
    ["authenticator", "outcome"],
  );
  const counted = (result: Verified): Verified => {
    outcomes.with(name, isFailure(result) ? result.failure : "verified").inc();
    return result;
  };

  function verify({ token, jws, credentialHash }: PresentedToken): Verified | Promise<Verified> {
    if (jws !== undefined && hasExpired(jws.claims, options.clockSkew, deps.clock)) {
      return counted({
        failure: "token-expired",
        detail: "by its own exp; the provider was not asked",
        authenticator: name,
        credentialHash,
        costly: false,
      });
    }
    const result = asked.about(credentialHash, async () =>
      judge(await question(token), credentialHash),
    );
    return result instanceof Promise ? result.then(counted) : counted(result);
  }

  return {
    name,
    proves: "token",
    takes: { by: "rest", issuer },
    configHash,
    vocabulary: mapper.vocabulary,
    start: () => Promise.resolve(),
    keys: () => undefined,
    verify,
    close: () => asked.close(),
  };
}

/** A token that says itself that it is over needs no second opinion, and old ones are the commonest bad ones. */
function hasExpired({ exp }: JsonObject, clockSkewMs: number, clock: Clock): boolean {
  return typeof exp === "number" && clock.now() >= exp * 1000 + clockSkewMs;
}

/** Asks about a token (section 2.1). Rejects with SallyportError where there is no answer. */
function createQuestion(
  options: Named,
  deps: IntrospectionDeps,
): (token: string) => Promise<JsonValue> {
  const { endpoint, client, ca, timeout, issuer } = options;
  const { certificate, key } = client;
  const http = deps.jsonClient({ ca, certificate, key });
  const proof = createClientAuthentication(client, issuer ?? endpoint, deps);
  return async (token) => {
    const { form, headers } = proof();
    return http.post(
      endpoint,
      { form: { token, token_type_hint: "access_token", ...form }, headers },
      { timeoutMs: timeout, maxBytes: LIMITS.answerBytes },
    );
  };
}

/** Facts of an answer (section 2.2). Throws SallyportError `fetch-failed` where it is none. */
function createJudge(
  options: Named,
  {
    mapper,
    clock,
  }: { readonly mapper: ReturnType<typeof createClaimMapper>; readonly clock: Clock },
): (answer: JsonValue, credentialHash: string) => Told {
  const { name, issuer, insecureAnyAudience } = options;
  const acceptedAudience = Object.freeze([...(options.audience ?? [])]);
  const clockSkew = options.clockSkew / 1000;
  return (answer, credentialHash) => {
    const active = isJsonObject(answer) ? answer["active"] : undefined;
    if (!isJsonObject(answer) || typeof active !== "boolean") throw notAnAnswer(options.endpoint);
    if (!active) return INACTIVE;
    const fault = issuerFault(answer, issuer) ?? typeFault(answer);
    if (fault !== undefined) return fault;
    const registered = readRegisteredClaims(answer, NO_EXPIRY);
    if ("fault" in registered) return registered;
    const untimely = checkTimes({ ...registered, clockSkew }, clock.now());
    if (untimely !== undefined) return { fault: untimely, detail: "by the times of the answer" };
    const said = readClaimFacts(answer, mapper);
    if ("fault" in said) return said;
    if (said.confirmation?.keyThumbprint === undefined && isDpop(answer)) return UNBOUND_DPOP;
    const anybodys = insecureAnyAudience && answer["aud"] === undefined;
    return {
      facts: {
        ...registered,
        ...said,
        audience: anybodys ? undefined : registered.audience,
        authenticator: name,
        kind: "introspection",
        credentialHash,
        clockSkew,
        acceptedAudience,
      },
    };
  };
}

const INACTIVE: TokenFault = Object.freeze({
  fault: "inactive-token",
  detail: "the provider says so",
});

/** RFC 9449 section 6.2: a token of type DPoP comes with the key that it is bound to. */
const UNBOUND_DPOP: TokenFault = Object.freeze({
  fault: "invalid-claim",
  detail: "token_type says DPoP, and cnf.jkt is absent",
});

/** An endpoint that several issuers share answers for all of them; this authenticator is for one. */
function issuerFault({ iss }: JsonObject, issuer: string | undefined): TokenFault | undefined {
  if (issuer === undefined || iss === issuer) return undefined;
  return iss === undefined
    ? { fault: "missing-claim", detail: "the answer has no iss, and issuer is configured" }
    : { fault: "unknown-issuer", detail: "the answer's iss is not the configured issuer" };
}

/**
 * Section 2.2: `token_type` is that of RFC 6749 section 5.1, of which clients can use these (`N_A` is
 * RFC 8693's). Some providers write there, or into `token_use` and `typ`, which of their tokens it is.
 */
function typeFault(answer: JsonObject): TokenFault | undefined {
  const { token_type: type, token_use: use, typ } = answer;
  if (type !== undefined && !isOneOf(type, ACCESS_TYPES)) return notAccess("token_type");
  if (use !== undefined && !isOneOf(use, ACCESS_USES)) return notAccess("token_use");
  if (typ !== undefined && isOneOf(typ, OTHER_TYPES)) return notAccess("typ");
  return undefined;
}

const ACCESS_TYPES: ReadonlySet<string> = new Set(["bearer", "dpop", "n_a", "access_token"]);
const ACCESS_USES: ReadonlySet<string> = new Set(["access", "access_token"]);
const OTHER_TYPES: ReadonlySet<string> = new Set(["refresh", "offline", "id", "logout"]);

function isOneOf(value: JsonValue, names: ReadonlySet<string>): boolean {
  return typeof value === "string" && names.has(value.toLowerCase());
}

function isDpop({ token_type: type }: JsonObject): boolean {
  return typeof type === "string" && type.toLowerCase() === "dpop";
}

function notAccess(member: string): TokenFault {
  return { fault: "invalid-token-type", detail: `${member}: it is no access token` };
}

function notAnAnswer(endpoint: string): SallyportError {
  const { origin, pathname } = new URL(endpoint);
  const rule = "the answer has no boolean `active`";
  return new SallyportError("fetch-failed", `${origin}${pathname}: ${rule}`);
}

function warnOfInsecurity(options: Named, log: Log): void {
  for (const option of ["insecureHttp", "insecureAnyAudience"] as const) {
    if (options[option]) {
      log.warn("an insecure option is on", { authenticator: options.name, option });
    }
  }
}
