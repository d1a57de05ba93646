/**
 * The DPoP proof of a request to the token endpoint (RFC 9449 section 5): which key the caller has. It is
 * checked as every proof is, except that there is no token yet that it could be for.
 */
import type { Fields } from "../../model/http.ts";
import { getField } from "../../wire/fields.ts";
import type { TokenCall } from "./token-call.ts";
import { errorFor, TokenFault } from "./token-fault.ts";

export interface EndpointProof {
  /** base64url SHA-256 of the key (RFC 7638); undefined: no proof was shown. */
  readonly keyThumbprint: string | undefined;
  /** Go out with the answer (`dpop-nonce`). */
  readonly answerFields: Fields;
}

export async function proveKey(call: TokenCall): Promise<EndpointProof | TokenFault> {
  const { exchange, tokens, own, origin, path } = call;
  const { method, fields } = exchange.head;
  if (getField(fields, "dpop") === undefined) return NO_PROOF;
  const { refused, answerFields, keyThumbprint } = await tokens.proofs.verify({
    fields,
    method,
    url: `${origin}${path}`,
    token: undefined,
    keyThumbprint: undefined,
    nowMs: own.timeMs,
  });
  if (refused === undefined) return { keyThumbprint, answerFields };
  const { reason, detail, costly } = refused;
  const error =
    reason === "use-dpop-nonce" ? "use_dpop_nonce" : errorFor(reason, "invalid_dpop_proof");
  const description =
    reason === "use-dpop-nonce"
      ? "the proof needs the nonce in DPoP-Nonce"
      : "the DPoP proof is not good";
  return new TokenFault(error, description, { reason, detail, costly, fields: answerFields });
}

const NO_PROOF: EndpointProof = Object.freeze({
  keyThumbprint: undefined,
  answerFields: Object.freeze([]),
});
