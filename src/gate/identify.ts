/**
 * Credentials → `Principal`. A credential of a kind that the route lists is verified, and if it is
 * bad the answer is 401, whatever else is present; it never falls through to another or to
 * anonymous. A credential of a kind that the route does not list is ignored and recorded as ignored.
 */
import { hash } from "node:crypto";
import { LOCAL_AUTHENTICATOR } from "../model/admin-operations.ts";
import { type CredentialFacts, type CredentialFailure, isFailure } from "../model/facts.ts";
import type { Authn } from "../model/policy.ts";
import { ANONYMOUS } from "../model/principal.ts";
import type { RecordedCredential } from "../model/records.ts";
import { Recurring } from "../model/recurring.ts";
import { checkFacts } from "../identity/checks.ts";
import { isCredentialsFault, parseAuthorization } from "../wire/authorization.ts";
import type { Deciding } from "./decision.ts";
import { refusedByRevocation } from "./revocation.ts";
import type { BearerVerifier } from "./snapshot.ts";
import type { GateDeps, StepResult } from "./step.ts";

/** The last credential on a connection: a service sends the same token many times in a row. */
interface Memo {
  readonly authorization: string;
  readonly bearer: BearerVerifier;
  readonly facts: CredentialFacts;
}

/**
 * Credentials seen lately by each verifier: callers behind a balancer share connections, so the memo
 * of a connection misses. A look-up by the whole value costs 0.2 µs; parsing it and hashing it for
 * the cache of facts costs 2. Facts are as good here as there: `accept` looks at each of them again.
 */
const RECENT = {
  /** Entries for each verifier, some 700 bytes each; when it is full it begins anew. */
  entries: 1024,
  /** Longer ones take the long way: the table stays under 4 MB whatever callers send. */
  chars: 4096,
} as const;

const recent = new WeakMap<BearerVerifier, Map<string, CredentialFacts>>();

/** Step: takes the credential out of the request, and its facts if they are known already. */
export function recall(deciding: Deciding): StepResult {
  const { authorization } = deciding.input.head;
  if (authorization === undefined) return undefined;
  const bearer = deciding.route?.bearer;
  if (bearer !== undefined) {
    const memo = deciding.input.connection.memo as Memo | undefined;
    // Comparing the whole value costs less than hashing it for the cache: 20 ns against 1 µs.
    if (
      memo !== undefined &&
      memo.bearer === bearer &&
      memo.authorization === authorization &&
      memo.facts.valid()
    ) {
      deciding.token = authorization;
      deciding.facts = memo.facts;
      return undefined;
    }
    const known = recent.get(bearer)?.get(authorization);
    if (known?.valid() === true) {
      deciding.token = authorization;
      deciding.facts = known;
      return undefined;
    }
  }
  const parsed = parseAuthorization(authorization);
  const malformed = isCredentialsFault(parsed);
  if (bearer === undefined || (!malformed && parsed.scheme !== "bearer")) {
    deciding.credentials = [recorded(authorization, "ignored")];
    return undefined;
  }
  if (malformed || parsed.token === undefined) {
    deciding.credentials = [recorded(authorization, "refused")];
    deciding.detail = malformed ? parsed.detail : "Bearer without a token";
    return "malformed-credential";
  }
  deciding.token = parsed.token;
  const facts = bearer.recall(parsed.token);
  if (facts !== undefined) {
    deciding.facts = facts;
    remember(deciding, facts);
  }
  return undefined;
}

/** Step: verifies what is not known yet, and looks at what must hold on every request. */
export function identify(deciding: Deciding, deps: GateDeps): StepResult | Promise<StepResult> {
  if (deciding.facts !== undefined) return accept(deciding, deciding.facts, deps);
  const bearer = deciding.route?.bearer;
  if (deciding.token === undefined || bearer === undefined) return withoutCredential(deciding);
  const verified = bearer.verify(deciding.token);
  if (verified instanceof Promise) {
    return verified.then((result) => verifiedOrNot(deciding, result, deps));
  }
  return verifiedOrNot(deciding, verified, deps);
}

function verifiedOrNot(
  deciding: Deciding,
  result: CredentialFacts | CredentialFailure,
  deps: GateDeps,
): StepResult {
  if (!isFailure(result)) {
    remember(deciding, result);
    return accept(deciding, result, deps);
  }
  if (result.costly) deps.budget.charge(clientOf(deciding));
  deciding.detail = result.detail;
  deciding.credentials = [
    {
      kind: "bearer",
      hash: result.credentialHash ?? hash("sha256", deciding.token ?? "", "base64url"),
      outcome: "refused",
    },
  ];
  return result.failure;
}

function clientOf({ request, input }: Deciding): string {
  return request?.clientAddress ?? input.peer.address;
}

/** Facts are cached, outcomes never: this runs on every request. */
function accept(deciding: Deciding, facts: CredentialFacts, deps: GateDeps): StepResult {
  deciding.facts = facts;
  // RFC 9449 section 7.1, RFC 8705 section 3: a bound token is worth nothing in other hands.
  const refused = facts.bound
    ? "missing-proof"
    : (checkFacts(facts, deciding.timeMs, deciding.route?.audience) ??
      refusedByRevocation(deciding, facts, deps));
  if (refused !== undefined) {
    deciding.credentials = [credentialOf(facts, "refused")];
    return refused;
  }
  deciding.credentials = usedCredential(facts);
  deciding.principal = facts.principal;
  deciding.authn = authnOf(facts, deciding.timeMs);
  return undefined;
}

function withoutCredential(deciding: Deciding): StepResult {
  const local = deciding.route?.local;
  if (local !== undefined) {
    deciding.principal = local;
    deciding.authn = LOCAL_AUTHN;
    return undefined;
  }
  if (deciding.route?.anonymous !== true) return "missing-credential";
  deciding.principal = ANONYMOUS;
  deciding.authn = NO_AUTHN;
  return undefined;
}

function remember(deciding: Deciding, facts: CredentialFacts): void {
  const { authorization } = deciding.input.head;
  const bearer = deciding.route?.bearer;
  if (authorization === undefined || bearer === undefined) return;
  deciding.input.connection.memo = { authorization, bearer, facts } satisfies Memo;
  if (authorization.length > RECENT.chars) return;
  let table = recent.get(bearer);
  if (table === undefined || table.size >= RECENT.entries) recent.set(bearer, (table = new Map()));
  table.set(authorization, facts);
}

function recorded(authorization: string, outcome: "ignored" | "refused"): RecordedCredential {
  return { kind: "authorization", hash: hash("sha256", authorization, "base64url"), outcome };
}

function credentialOf(facts: CredentialFacts, outcome: "used" | "refused"): RecordedCredential {
  return { kind: "bearer", hash: facts.credentialHash, outcome };
}

/** One list per facts, so that a hot path with cached facts allocates none. */
const usedLists = new Recurring<CredentialFacts, readonly RecordedCredential[]>();

function usedCredential(facts: CredentialFacts): readonly RecordedCredential[] {
  let list = usedLists.get(facts);
  if (list !== undefined) return list;
  list = [credentialOf(facts, "used")];
  if (usedLists.again(facts)) usedLists.keep(facts, list);
  return list;
}

/** `age` counts whole seconds, so one object serves all requests within a second. */
const authns = new Recurring<CredentialFacts, Authn>();

function authnOf(facts: CredentialFacts, nowMs: number): Authn {
  const since = facts.authenticatedAt ?? facts.issuedAt;
  const ageSeconds = since === undefined ? 0 : Math.max(0, Math.floor(nowMs / 1000 - since));
  const known = authns.get(facts);
  if (known !== undefined && known.ageSeconds === ageSeconds) return known;
  const made: Authn = {
    kind: facts.kind,
    authenticator: facts.authenticator,
    ageSeconds,
    acr: facts.acr,
    amr: facts.amr,
    bound: false, // proofs of possession are not checked yet, so nothing counts as bound
  };
  if (authns.again(facts)) authns.keep(facts, made);
  return made;
}

const NO_AUTHN: Authn = Object.freeze({
  kind: "none",
  authenticator: "",
  ageSeconds: 0,
  acr: undefined,
  amr: Object.freeze([]),
  bound: false,
});

/** The system has let the caller open a socket of ours that is closed to others. */
const LOCAL_AUTHN: Authn = Object.freeze({
  ...NO_AUTHN,
  kind: LOCAL_AUTHENTICATOR,
  authenticator: LOCAL_AUTHENTICATOR,
});
