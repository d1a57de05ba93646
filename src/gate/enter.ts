/** Who the caller is, once its credentials are verified: the principal, and what policies see beside it. */
import { LOCAL_AUTHENTICATOR } from "../model/admin-operations.ts";
import { type CredentialFacts, isFailure } from "../model/facts.ts";
import type { Authn } from "../model/policy.ts";
import { ANONYMOUS } from "../model/principal.ts";
import type { RecordedCredential } from "../model/records.ts";
import { Recurring } from "../model/recurring.ts";
import { getField } from "../wire/fields.ts";
import { credentialOf, ignore, refuseFacts } from "./credentials.ts";
import type { Deciding } from "./decision.ts";
import { refusedByRevocation } from "./revocation.ts";
import type { GateDeps, StepResult } from "./step.ts";

/** By the credential that counts; without one, whoever is let in without. */
export function enter(
  deciding: Deciding,
  facts: CredentialFacts | undefined,
  deps: GateDeps,
): StepResult {
  // What was presented and is refused says more than that something is missing.
  const refused = tellWorkload(deciding, deps);
  if (refused !== undefined) return refused;
  if (facts === undefined) return withoutCredential(deciding);
  const { good, credentials: ignored } = deciding;
  const used =
    good === undefined ? usedCredential(facts) : good.map((one) => credentialOf(one, "used"));
  deciding.credentials = ignored.length === 0 ? used : [...ignored, ...used];
  deciding.facts = facts;
  deciding.principal = facts.principal;
  deciding.authn = authnOf(facts, deciding.timeMs);
  deciding.device = facts.device ?? deciding.device;
  return undefined;
}

/**
 * A certificate that an authenticator knows is told to policies on every route, so that a `forbid` about
 * it is not shed by adding a token. One that is refused proves nothing; where the route asks for it, it
 * has been refused already. One that was revoked keeps its connection out, whatever else it shows.
 */
export function tellWorkload(deciding: Deciding, deps: GateDeps): StepResult {
  const { tls } = deciding.input.peer;
  if (tls === undefined) return undefined;
  const found = deciding.snapshot.certificates?.verify(tls, deciding.timeMs);
  if (found === undefined || isFailure(found)) return undefined;
  const revoked = refusedByRevocation(deciding, found, deps);
  if (revoked !== undefined) return refuseFacts(deciding, found, revoked);
  const { principal } = found;
  if (principal.kind === "workload") deciding.workload = principal;
  if (principal.kind === "device") deciding.device = principal;
  return undefined;
}

function withoutCredential(deciding: Deciding): StepResult {
  const proof = getField(deciding.input.head.fields, "dpop");
  if (proof !== undefined) ignore(deciding, "proof", proof);
  const local = deciding.route?.local;
  if (local !== undefined) {
    deciding.principal = local;
    deciding.authn = LOCAL_AUTHN;
    return undefined;
  }
  if (deciding.route?.anonymous !== true) {
    const { certificate } = deciding.input.peer.tls ?? {};
    if (certificate !== undefined && deciding.route?.further?.certificate !== undefined) {
      deciding.detail = `${certificate.subject}: no authenticator of the route is for this certificate`;
    }
    return "missing-credential";
  }
  deciding.principal = ANONYMOUS;
  deciding.authn = NO_AUTHN;
  return undefined;
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

export function authnOf(facts: CredentialFacts, nowMs: number): Authn {
  const ageSeconds = ageOf(facts, nowMs);
  const known = authns.get(facts);
  if (known !== undefined && known.ageSeconds === ageSeconds) return known;
  const made: Authn = {
    kind: facts.kind,
    authenticator: facts.authenticator,
    ageSeconds,
    acr: facts.acr,
    amr: facts.amr,
    // What is bound and came so far was proven; a certificate is proven by its handshake.
    bound: facts.confirmation !== undefined || facts.kind === "mtls",
  };
  if (authns.again(facts)) authns.keep(facts, made);
  return made;
}

/**
 * Seconds since the person logged in, or since the credential was issued. A session says when it was
 * begun, not when its provider last saw the person: without `auth_time` that is as long ago as can be.
 */
function ageOf({ kind, authenticatedAt, issuedAt }: CredentialFacts, nowMs: number): number {
  const since = authenticatedAt ?? (kind === "oidc" ? 0 : issuedAt);
  return since === undefined ? 0 : Math.max(0, Math.floor(nowMs / 1000 - since));
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
