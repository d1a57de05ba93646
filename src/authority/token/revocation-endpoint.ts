/**
 * `/.sallyport/revoke` (RFC 7009): a client gives a key back, or its subject does. What was derived from it
 * dies with it. A token that is no key of ours, or none any more, is answered as one that was revoked
 * (section 2.2).
 */
import { SallyportError } from "../../model/errors.ts";
import { principalId } from "../../model/principal.ts";
import { authenticateClient } from "./client-authentication.ts";
import type { Form } from "./form.ts";
import { knownKey } from "./known-key.ts";
import type { TokenAnswer, TokenCall } from "./token-call.ts";
import { TokenFault } from "./token-fault.ts";

export async function revoke(call: TokenCall, form: Form): Promise<TokenAnswer | TokenFault> {
  const client = await authenticateClient(call, form);
  if (client instanceof TokenFault) return client;
  const token = form.one("token");
  if (token === undefined) return new TokenFault("invalid_request", "there is no token");
  const { principal } = client.facts;
  const key = await knownKey(call, token);
  if (key === undefined) {
    const detail = "nothing to revoke: no key of ours, or none any more";
    return { reason: "client-answered", detail, principal, json: undefined };
  }
  const { facts, id } = key;
  const own =
    facts.clientId === client.id || principalId(facts.principal) === principalId(principal);
  if (!own) {
    // Section 2.1: it was issued to somebody else.
    const detail = `the key ${id} is another's`;
    return new TokenFault("unauthorized_client", "the key is not the client's", { detail });
  }
  const expiresMs = Math.ceil((facts.expiresAt + facts.clockSkew) * 1000);
  const target = { kind: "id", authenticator: facts.authenticator, id } as const;
  try {
    await call.deps.issuing.revoke(target, { expiresMs, by: principalId(principal) });
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    const options = { reason: "identity-unavailable", detail: error.message } as const;
    // Section 2.2.1: 503, and the client has to try again.
    return new TokenFault("temporarily_unavailable", "it cannot be revoked now", options);
  }
  const detail = `revoked: the key ${id}`;
  return { reason: "client-answered", detail, principal, json: undefined };
}
