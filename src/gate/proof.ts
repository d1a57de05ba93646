/**
 * What a token is bound to has to be proven with every request: the certificate of the connection
 * (RFC 8705 section 3), or a key by a proof (RFC 9449 section 7). A token that is bound to something else
 * is worth nothing here.
 */
import type { Confirmation, CredentialFacts } from "../model/facts.ts";
import type { ProofAnswer } from "../model/verifiers.ts";
import type { RequestHead } from "../model/http.ts";
import { isPathFault, splitTarget } from "../wire/path.ts";
import { clientOf } from "./credentials.ts";
import { answerWith, type Deciding, type TokenScheme } from "./decision.ts";
import type { GateDeps, StepResult } from "./step.ts";

interface Given {
  readonly scheme: TokenScheme;
  readonly deps: GateDeps;
}

/**
 * Of the token in Authorization. Undefined: proven, or there is nothing to prove. Sets what goes out with
 * the answer.
 */
export function proven(
  deciding: Deciding,
  facts: CredentialFacts,
  deps: GateDeps,
): StepResult | Promise<StepResult> {
  const { scheme, route } = deciding;
  const rule = route?.confirmation;
  // Nearly always: a token that is bound to nobody, on a route that asks nothing of it.
  if (facts.confirmation === undefined && scheme === "bearer") {
    if (rule === undefined || rule === "when-bound") return undefined;
  }
  return provenBy(deciding, facts, { scheme, deps });
}

/**
 * Of a token in a field of its own. It has no scheme that could say DPoP, so what is bound to a key is
 * refused there (RFC 9449 section 7.1).
 */
export function provenInField(
  deciding: Deciding,
  facts: CredentialFacts,
  deps: GateDeps,
): StepResult {
  const refused = provenBy(deciding, facts, { scheme: "bearer", deps });
  if (refused instanceof Promise) throw new TypeError("only a proof is waited for");
  return refused;
}

function provenBy(
  deciding: Deciding,
  facts: CredentialFacts,
  given: Given,
): StepResult | Promise<StepResult> {
  const { confirmation } = facts;
  if (confirmation === undefined) return unbound(deciding, given);
  if (confirmation.other) {
    deciding.detail = "cnf names what cannot be checked here";
    return "missing-proof";
  }
  const { certificateThumbprint: thumbprint, keyThumbprint } = confirmation;
  if (thumbprint !== undefined) {
    const shown = deciding.input.peer.tls?.certificate?.thumbprint;
    if (shown !== thumbprint) {
      deciding.detail =
        shown === undefined
          ? "bound to a certificate, and the connection showed none"
          : "bound to another certificate than the connection's";
      return shown === undefined ? "missing-proof" : "wrong-certificate";
    }
  }
  return keyThumbprint === undefined
    ? bearerOnly(deciding, given)
    : byKey(deciding, { ...given, keyThumbprint });
}

/** RFC 9449 section 7.1: the scheme DPoP is for tokens that are bound to a key. */
function bearerOnly(deciding: Deciding, { scheme }: Given): StepResult {
  if (scheme === "bearer") return undefined;
  deciding.detail = "sent with the scheme DPoP, and not bound to a key";
  return "invalid-proof";
}

function unbound(deciding: Deciding, given: Given): StepResult {
  const refused = bearerOnly(deciding, given);
  if (refused !== undefined) return refused;
  const { route } = deciding;
  if (route?.confirmation === "required") return "unbound-token";
  // A stream that is decided again was counted when it began.
  if (route?.confirmation === "report" && deciding.stream === undefined) {
    deciding.detail = UNBOUND;
    given.deps.unbound?.(route.name);
  }
  return undefined;
}

/** What the record of a permit says, where a route asks for it. */
const UNBOUND = "unbound-token: bound to no key and no certificate; `required` would refuse it";

function byKey(
  deciding: Deciding,
  {
    scheme,
    deps,
    keyThumbprint,
  }: Given & { readonly keyThumbprint: NonNullable<Confirmation["keyThumbprint"]> },
): StepResult | Promise<StepResult> {
  // A stream that is open was proven when it began; its proof is as old as that.
  if (deciding.stream !== undefined) return undefined;
  // RFC 9449 section 7.2: as a bearer token it would be good in anybody's hands.
  if (scheme !== "dpop") {
    deciding.detail = "bound to a key, and sent as a bearer token";
    return "missing-proof";
  }
  const { request, snapshot, input } = deciding;
  const origin = snapshot.origins?.get(input.listener);
  if (snapshot.proofs === undefined || origin === undefined) {
    deciding.detail = "the listener has no publicOrigin, so no proof can be for it";
    return "missing-proof";
  }
  const { authorization } = input.head;
  if (request === undefined || authorization === undefined) {
    throw new TypeError("proven comes after recall");
  }
  // Facts that are at hand went past the budget, and what is spent here is a signature check too.
  if (deps.budget.spent(clientOf(deciding))) return "too-many-failures";
  const answer = snapshot.proofs.verify({
    fields: input.head.fields,
    method: request.method,
    url: `${origin}${receivedPath(input.head)}`,
    token: tokenOf(authorization),
    keyThumbprint,
    nowMs: deciding.timeMs,
  });
  return answer instanceof Promise
    ? answer.then((settled) => take(deciding, settled, deps))
    : take(deciding, answer, deps);
}

/** Of a value that was taken for a scheme and a token68, also where only its facts were looked up. */
function tokenOf(authorization: string): string {
  return authorization.slice(authorization.lastIndexOf(" ") + 1);
}

/** As the caller wrote it: our own form is not the only one of RFC 3986 (it merges slashes). */
function receivedPath({ target, host }: RequestHead): string {
  const parts = splitTarget(target, host);
  if (isPathFault(parts)) throw new TypeError("proven comes after canonical");
  return parts.path;
}

function take(
  deciding: Deciding,
  { refused, answerFields }: ProofAnswer,
  deps: GateDeps,
): StepResult {
  if (answerFields.length > 0) answerWith(deciding, answerFields);
  if (refused === undefined) return undefined;
  if (refused.costly) deps.budget.charge(clientOf(deciding));
  deciding.detail = refused.detail;
  return refused.reason;
}
