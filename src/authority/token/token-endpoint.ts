/**
 * `/.sallyport/token`: a key for a service, by OAuth 2.0 (RFC 6749 section 3.2). Who asks, what is shown,
 * what is asked for, and whether policies permit it: each in a file of its own beside this one.
 */
import { authenticateClient } from "./client-authentication.ts";
import { proveKey } from "./endpoint-proof.ts";
import type { Form } from "./form.ts";
import { type Grant, grantName, type GrantRequest, GRANTS } from "./grants.ts";
import type { TokenAnswer, TokenCall } from "./token-call.ts";
import { TokenFault } from "./token-fault.ts";

export async function giveKey(call: TokenCall, form: Form): Promise<TokenAnswer | TokenFault> {
  const type = form.one("grant_type");
  if (type === undefined) return new TokenFault("invalid_request", "there is no grant_type");
  const grant = GRANTS.get(type);
  if (grant === undefined) {
    return new TokenFault("unsupported_grant_type", "grant_type is none that is served here");
  }
  const answer = await giveBy(grant, { call, form });
  const came = answer instanceof TokenFault ? answer.error : "issued";
  // A grant that is served: one of a few.
  call.deps.figures.grants.with(grantName(type), came, answer.reason).inc();
  return answer;
}

async function giveBy(
  grant: Grant,
  { call, form }: Pick<GrantRequest, "call" | "form">,
): Promise<TokenAnswer | TokenFault> {
  const client = await authenticateClient(call, form);
  if (client instanceof TokenFault) return client;
  const { principal } = client.facts;
  const proof = await proveKey(call);
  if (proof instanceof TokenFault) return proof.with({ principal, fields: proof.fields });
  const answer = await grant({ call, form, client, proof });
  // The next nonce goes out with whatever comes of it.
  const fields = proof.answerFields;
  if (!(answer instanceof TokenFault)) return { ...answer, fields };
  return answer.with({ fields, principal: answer.asked ? undefined : principal });
}
