/**
 * `/.sallyport/introspect` (RFC 7662): what a key says, for those who have something to do with it: the
 * client that it was issued to, its subject, and clients that are called as a service that it is for. To
 * everybody else, and of every other token, it says that there is none (section 2.2).
 */
import type { JsonObject } from "../../model/json.ts";
import { principalId } from "../../model/principal.ts";
import { authenticateClient, type Client } from "./client-authentication.ts";
import type { Form } from "./form.ts";
import { type KnownKey, knownKey } from "./known-key.ts";
import type { TokenAnswer, TokenCall } from "./token-call.ts";
import { TokenFault } from "./token-fault.ts";

export async function introspect(call: TokenCall, form: Form): Promise<TokenAnswer | TokenFault> {
  const client = await authenticateClient(call, form);
  if (client instanceof TokenFault) return client;
  const token = form.one("token");
  if (token === undefined) return new TokenFault("invalid_request", "there is no token");
  const key = await knownKey(call, token);
  const { principal } = client.facts;
  if (key === undefined || !mayAsk(client, key)) {
    const detail =
      key === undefined ? "introspected: not active" : "introspected: not for this client";
    return { reason: "client-answered", detail, principal, json: { active: false } };
  }
  const detail = `introspected: the key ${key.id}`;
  return { reason: "client-answered", detail, principal, json: described(key) };
}

function mayAsk(client: Client, { facts, audience }: KnownKey): boolean {
  return (
    facts.clientId === client.id ||
    principalId(facts.principal) === principalId(client.facts.principal) ||
    (client.registered && audience.includes(client.id))
  );
}

/** Section 2.2, with what RFC 8705 section 3.2, RFC 9396 section 9.2 and RFC 9449 section 6.2 add. */
const SHOWN = [
  "iss",
  "sub",
  "aud",
  "client_id",
  "scope",
  "iat",
  "exp",
  "jti",
  "cnf",
  "act",
  "acr",
  "amr",
  "auth_time",
  "authorization_details",
] as const;

function described({ claims, facts }: KnownKey): JsonObject {
  const shown = SHOWN.flatMap((name) => {
    const value = claims[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const type = facts.confirmation?.keyThumbprint === undefined ? "Bearer" : "DPoP";
  return { active: true, token_type: type, ...Object.fromEntries(shown) };
}
