/**
 * Credentials → `Principal`. A credential of a kind that the route lists is verified, and if it is
 * bad the answer is 401, whatever else is present; it never falls through to another or to
 * anonymous. A credential of a kind that the route does not list is ignored and recorded as ignored.
 */
import { hash } from "node:crypto";
import { type CredentialFacts, isFailure, type Verified } from "../model/facts.ts";
import type { RecordedCredential } from "../model/records.ts";
import { getAllFields } from "../wire/fields.ts";
import { isCredentialsFault, parseAuthorization } from "../wire/authorization.ts";
import type { Deciding } from "./decision.ts";
import { accept, ignore, refuse, refuseFacts } from "./credentials.ts";
import { enter } from "./enter.ts";
import { proven } from "./proof.ts";
import { identifyBySeveral } from "./several.ts";
import type { BearerVerifier } from "../model/verifiers.ts";
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
      deciding.scheme = schemeOf(authorization);
      deciding.facts = memo.facts;
      return undefined;
    }
    const known = recent.get(bearer)?.get(authorization);
    if (known?.valid() === true) {
      deciding.token = authorization;
      deciding.scheme = schemeOf(authorization);
      deciding.facts = known;
      return undefined;
    }
  }
  const parsed = parseAuthorization(authorization);
  const malformed = isCredentialsFault(parsed);
  if (bearer === undefined || (!malformed && !TOKEN_SCHEMES.has(parsed.scheme))) {
    ignore(deciding, "authorization", authorization);
    return undefined;
  }
  if (malformed || parsed.token === undefined) {
    deciding.credentials = [refusedUnread(authorization)];
    deciding.detail = malformed ? parsed.detail : "a scheme without a token";
    return "malformed-credential";
  }
  deciding.token = parsed.token;
  deciding.scheme = parsed.scheme === "dpop" ? "dpop" : "bearer";
  const facts = bearer.recall(parsed.token);
  if (facts !== undefined) {
    deciding.facts = facts;
    remember(deciding, facts);
  }
  return undefined;
}

const TOKEN_SCHEMES: ReadonlySet<string> = new Set(["bearer", "dpop"]);

/** Of a value that was taken before: it begins with one of the two. */
function schemeOf(authorization: string): Deciding["scheme"] {
  const first = authorization.charCodeAt(0);
  return first === 0x44 || first === 0x64 ? "dpop" : "bearer";
}

/** Step: verifies what is not known yet, and looks at what must hold on every request. */
export function identify(deciding: Deciding, deps: GateDeps): StepResult | Promise<StepResult> {
  const { route } = deciding;
  if (route?.unread !== undefined) ignoreFields(deciding, route.unread);
  if (route?.further !== undefined) {
    return identifyBySeveral(deciding, { deps, ways: route.further, token: identifyByToken });
  }
  const refused = identifyByToken(deciding, deps);
  if (refused instanceof Promise) {
    return refused.then((settled) => settled ?? enter(deciding, deciding.facts, deps));
  }
  return refused ?? enter(deciding, deciding.facts, deps);
}

function ignoreFields(deciding: Deciding, names: readonly string[]): void {
  for (const name of names) {
    for (const value of getAllFields(deciding.input.head.fields, name)) {
      ignore(deciding, "api-key", value);
    }
  }
}

/** Undefined: the token is good and its facts are there, or there is no token. */
function identifyByToken(deciding: Deciding, deps: GateDeps): StepResult | Promise<StepResult> {
  if (deciding.facts !== undefined) return acceptToken(deciding, deciding.facts, deps);
  const bearer = deciding.route?.bearer;
  if (deciding.token === undefined || bearer === undefined) return undefined;
  const verified = bearer.verify(deciding.token);
  if (verified instanceof Promise) {
    return verified.then((result) => verifiedOrNot(deciding, result, deps));
  }
  return verifiedOrNot(deciding, verified, deps);
}

function verifiedOrNot(
  deciding: Deciding,
  result: Verified,
  deps: GateDeps,
): StepResult | Promise<StepResult> {
  if (!isFailure(result)) {
    remember(deciding, result);
    return acceptToken(deciding, result, deps);
  }
  return refuse(deciding, result, { deps, kind: "bearer" });
}

/** Facts are cached, outcomes never: this runs on every request. */
function acceptToken(
  deciding: Deciding,
  facts: CredentialFacts,
  deps: GateDeps,
): StepResult | Promise<StepResult> {
  deciding.facts = facts;
  const refused = accept(deciding, facts, deps) ?? proven(deciding, facts, deps);
  if (refused === undefined) return undefined;
  if (typeof refused === "string") return refuseFacts(deciding, facts, refused);
  return refused.then((settled) =>
    settled === undefined ? undefined : refuseFacts(deciding, facts, settled),
  );
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

function refusedUnread(authorization: string): RecordedCredential {
  const shown = hash("sha256", authorization, "base64url");
  return { kind: "authorization", hash: shown, outcome: "refused" };
}
