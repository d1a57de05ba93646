/**
 * The ways to ask for a key: for oneself (client credentials, RFC 6749 section 4.4), in exchange for a token
 * (RFC 8693), or for an assertion (RFC 7523 section 2.1).
 *
 * Whoever gets a key for somebody else acts for them: the key says so (`act`), and policies have to permit
 * it to both. There are no keys that hide who uses them.
 */
import type { CredentialFacts } from "../../model/facts.ts";
import { readAsked } from "./asked-key.ts";
import type { Client } from "./client-authentication.ts";
import type { EndpointProof } from "./endpoint-proof.ts";
import type { Form } from "./form.ts";
import { isSamePrincipal, issueKey } from "./issue-key.ts";
import { verifyParent } from "./parent-token.ts";
import type { TokenAnswer, TokenCall } from "./token-call.ts";
import { TokenFault } from "./token-fault.ts";

/** What each grant is given. */
export interface GrantRequest {
  readonly call: TokenCall;
  readonly form: Form;
  readonly client: Client;
  readonly proof: EndpointProof;
}

export type Grant = (request: GrantRequest) => Promise<TokenAnswer | TokenFault>;

export const GRANTS: ReadonlyMap<string, Grant> = new Map<string, Grant>([
  ["client_credentials", clientCredentials],
  ["urn:ietf:params:oauth:grant-type:token-exchange", tokenExchange],
  ["urn:ietf:params:oauth:grant-type:jwt-bearer", jwtBearer],
]);

/** For figures and dashboards: `client-credentials`, `token-exchange`, `jwt-bearer`. */
export function grantName(type: string): string {
  return type.slice(type.lastIndexOf(":") + 1).replaceAll("_", "-");
}

async function clientCredentials(request: GrantRequest): Promise<TokenAnswer | TokenFault> {
  const { call, form, client, proof } = request;
  const asked = readAsked(form, call.tokens.targets);
  if (asked instanceof TokenFault) return asked;
  const grant = "client-credentials";
  const subject = client.facts;
  return await issueKey(call, { client, grant, subject, actors: [], asked, proof });
}

const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const JWT = "urn:ietf:params:oauth:token-type:jwt";
const TOKEN_TYPES: ReadonlySet<string> = new Set([ACCESS_TOKEN, JWT]);

async function tokenExchange(request: GrantRequest): Promise<TokenAnswer | TokenFault> {
  const { call, form, client, proof } = request;
  const requested = form.one("requested_token_type") ?? ACCESS_TOKEN;
  if (!TOKEN_TYPES.has(requested)) {
    return new TokenFault(
      "invalid_request",
      "requested_token_type is neither access_token nor jwt",
    );
  }
  const asked = readAsked(form, call.tokens.targets);
  if (asked instanceof TokenFault) return asked;
  const subject = await tokenOf(request, "subject");
  if (subject instanceof TokenFault) return subject;
  if (subject === undefined) return new TokenFault("invalid_request", "there is no subject_token");
  const actor = await tokenOf(request, "actor");
  if (actor instanceof TokenFault) return actor;
  // It would hide who acts: the client, or whoever acts for the subject in that token.
  if (actor !== undefined && isSamePrincipal(subject, actor)) {
    return new TokenFault("invalid_request", "actor_token says that the subject acts for itself");
  }
  const actors = whoActs(subject, actor === undefined ? [client.facts] : [client.facts, actor]);
  const grant = "token-exchange";
  const exchange = { client, grant, subject, actors, asked, proof, issuedType: requested } as const;
  return await issueKey(call, exchange);
}

/** `subject_token` or `actor_token`; undefined: it is not there. */
async function tokenOf(
  { call, form, proof }: GrantRequest,
  name: "subject" | "actor",
): Promise<CredentialFacts | undefined | TokenFault> {
  const parameter = `${name}_token`;
  const token = form.one(parameter);
  const type = form.one(`${parameter}_type`);
  if (token === undefined && type === undefined) return undefined;
  if (token === undefined || type === undefined) {
    return new TokenFault("invalid_request", `${parameter} and ${parameter}_type come together`);
  }
  if (!TOKEN_TYPES.has(type)) {
    return new TokenFault("invalid_request", `${parameter}_type is neither access_token nor jwt`);
  }
  return await verifyParent(call, token, { parameter, error: "invalid_request", proof });
}

async function jwtBearer(request: GrantRequest): Promise<TokenAnswer | TokenFault> {
  const { call, form, client, proof } = request;
  const asked = readAsked(form, call.tokens.targets);
  if (asked instanceof TokenFault) return asked;
  const assertion = form.one("assertion");
  if (assertion === undefined) return new TokenFault("invalid_request", "there is no assertion");
  const presented = { parameter: "assertion", error: "invalid_grant", proof } as const;
  const subject = await verifyParent(call, assertion, presented);
  if (subject instanceof TokenFault) return subject;
  const actors = whoActs(subject, [client.facts]);
  return await issueKey(call, { client, grant: "jwt-bearer", subject, actors, asked, proof });
}

/**
 * The client always does, whatever token of an actor it has: it is who has the key. Nobody acts for itself, and
 * nobody twice.
 */
function whoActs(
  subject: CredentialFacts,
  parties: readonly CredentialFacts[],
): readonly CredentialFacts[] {
  return parties.filter(
    (party, index) =>
      !isSamePrincipal(subject, party) &&
      !parties.slice(index + 1).some((later) => isSamePrincipal(later, party)),
  );
}
