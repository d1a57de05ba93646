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

type Grant = (request: GrantRequest) => Promise<TokenAnswer | TokenFault>;

export const GRANTS: ReadonlyMap<string, Grant> = new Map<string, Grant>([
  ["client_credentials", clientCredentials],
  ["urn:ietf:params:oauth:grant-type:token-exchange", tokenExchange],
  ["urn:ietf:params:oauth:grant-type:jwt-bearer", jwtBearer],
]);

async function clientCredentials(request: GrantRequest): Promise<TokenAnswer | TokenFault> {
  const { call, form, client, proof } = request;
  const asked = readAsked(form, call.tokens.targets);
  if (asked instanceof TokenFault) return asked;
  const grant = "client-credentials";
  const subject = client.facts;
  return await issueKey(call, { client, grant, subject, actor: undefined, asked, proof });
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
  const parents = { subject, actor: whoActs(subject, actor ?? client.facts) };
  const grant = "token-exchange";
  return await issueKey(call, { client, grant, ...parents, asked, proof, issuedType: requested });
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
  const actor = whoActs(subject, client.facts);
  return await issueKey(call, { client, grant: "jwt-bearer", subject, actor, asked, proof });
}

function whoActs(subject: CredentialFacts, actor: CredentialFacts): CredentialFacts | undefined {
  return isSamePrincipal(subject, actor) ? undefined : actor;
}
