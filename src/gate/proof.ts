/**
 * What a token is bound to has to be proven with every request: the certificate of the connection
 * (RFC 8705 section 3), or a key by a proof (RFC 9449 section 7). A token that is bound to something else
 * is worth nothing here.
 */
import type { Confirmation, CredentialFacts } from "../model/facts.ts";
import type { ProofAnswer } from "../model/verifiers.ts";
import { answerWith, type Deciding, type TokenScheme } from "./decision.ts";
import type { StepResult } from "./step.ts";

/** Undefined: proven, or there is nothing to prove. Sets what goes out with the answer. */
export function proven(
  deciding: Deciding,
  facts: CredentialFacts,
  scheme: TokenScheme,
): StepResult | Promise<StepResult> {
  const { confirmation } = facts;
  if (confirmation === undefined) return unbound(deciding, scheme);
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
    ? bearerOnly(deciding, scheme)
    : byKey(deciding, { scheme, keyThumbprint });
}

/** RFC 9449 section 7.1: the scheme DPoP is for tokens that are bound to a key. */
function bearerOnly(deciding: Deciding, scheme: TokenScheme): StepResult {
  if (scheme === "bearer") return undefined;
  deciding.detail = "sent with the scheme DPoP, and not bound to a key";
  return "invalid-proof";
}

function unbound(deciding: Deciding, scheme: TokenScheme): StepResult {
  const refused = bearerOnly(deciding, scheme);
  if (refused !== undefined) return refused;
  const rule = deciding.route?.confirmation;
  if (rule === "required") return "unbound-token";
  if (rule === "report") deciding.detail = UNBOUND;
  return undefined;
}

/** What the record of a permit says, where a route asks for it. */
const UNBOUND = "unbound-token: confirmation would be missing";

function byKey(
  deciding: Deciding,
  {
    scheme,
    keyThumbprint,
  }: {
    readonly scheme: TokenScheme;
    readonly keyThumbprint: NonNullable<Confirmation["keyThumbprint"]>;
  },
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
  const answer = snapshot.proofs.verify({
    fields: input.head.fields,
    method: request.method,
    url: `${origin}${request.path}`,
    token: tokenOf(authorization),
    keyThumbprint,
    nowMs: deciding.timeMs,
  });
  return answer instanceof Promise
    ? answer.then((settled) => take(deciding, settled))
    : take(deciding, answer);
}

/** Of a value that was taken for a scheme and a token68, also where only its facts were looked up. */
function tokenOf(authorization: string): string {
  return authorization.slice(authorization.lastIndexOf(" ") + 1);
}

function take(deciding: Deciding, { refused, answerFields }: ProofAnswer): StepResult {
  if (answerFields.length > 0) answerWith(deciding, answerFields);
  if (refused === undefined) return undefined;
  deciding.detail = refused.detail;
  return refused.reason;
}
