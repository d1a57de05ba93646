/**
 * Who asks for a key: exactly one way to prove it, as RFC 6749 section 2.3 wants.
 *
 * - A JWT that a declared or registered client signs (`private_key_jwt`), or the token of a workload that an
 *   authenticator of `tokens.clients` knows (a JWT-SVID, a service account's), as `client_assertion`.
 * - The certificate of the connection (RFC 8705): of a declared or registered client by its thumbprint, of a
 *   workload by an authenticator of `tokens.clients`. It counts only where nothing else proves a client: with
 *   something else, it is what a key can be bound to.
 * - A client secret, by Basic or in the body: the last resort, and loud.
 *
 * Refused is whoever proves nothing, proves it twice, or names another client than it proves.
 */
import { createHash, hash, timingSafeEqual } from "node:crypto";
import { readJws } from "../../crypto/jws.ts";
import { checkFacts } from "../../identity/checks.ts";
import { clientIdSchema } from "../../model/clients.ts";
import { SallyportError } from "../../model/errors.ts";
import { type CredentialFacts, isFailure, type Verified } from "../../model/facts.ts";
import type { RegisteredClient } from "../../model/issued-keys.ts";
import { principalId } from "../../model/principal.ts";
import type { Reason } from "../../model/reason.ts";
import { isCredentialsFault, parseAuthorization } from "../../wire/authorization.ts";
import { verifyClientAssertion } from "./client-assertion.ts";
import { readBasic } from "./client-basic.ts";
import type { Form } from "./form.ts";
import { certificateOf, type TokenCall } from "./token-call.ts";
import { errorFor, TokenFault } from "./token-fault.ts";

/** Whoever has proven who it is. */
export interface Client {
  /** `client_id`: of those without registration the id of their principal, `<authenticator>/<subject>`. */
  readonly id: string;
  /** Of its own credential. */
  readonly facts: CredentialFacts;
  readonly by: "certificate" | "assertion" | "secret";
  readonly registered: boolean;
}

const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** `kind` of the facts of declared and registered clients, and `context.authn.kind` in policies. */
export const CLIENT_KIND = "client";

export async function authenticateClient(
  call: TokenCall,
  form: Form,
): Promise<Client | TokenFault> {
  const proof = chooseProof(call, form);
  if (proof instanceof TokenFault) return proof;
  try {
    const client = await proof.verify();
    if (client instanceof TokenFault) return client;
    if (call.own.revoked(client.facts)) {
      return refused(call, { reason: "credential-revoked", detail: "the client was revoked" });
    }
    return client;
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    const options = { reason: "identity-unavailable", detail: error.message } as const;
    return new TokenFault("temporarily_unavailable", "clients cannot be looked up now", options);
  }
}

interface Proof {
  readonly verify: () => Promise<Client | TokenFault>;
}

/** The one way that is tried. None is tried after another has failed. */
function chooseProof(call: TokenCall, form: Form): Proof | TokenFault {
  const id = form.one("client_id");
  const secret = form.one("client_secret");
  const assertion = form.one("client_assertion");
  const type = form.one("client_assertion_type");
  const { authorization } = call.exchange.head;
  const ways = [authorization, secret, assertion].filter((way) => way !== undefined);
  if (ways.length > 1) {
    return new TokenFault("invalid_request", "more than one way to authenticate the client");
  }
  if ((assertion === undefined) !== (type === undefined)) {
    const description = "client_assertion and client_assertion_type come together";
    return new TokenFault("invalid_request", description);
  }
  if (authorization !== undefined) {
    return { verify: () => byBasic(call, authorization, id) };
  }
  if (assertion !== undefined) {
    if (type !== ASSERTION_TYPE) {
      return new TokenFault("invalid_request", `client_assertion_type is not ${ASSERTION_TYPE}`);
    }
    return { verify: () => byAssertion(call, assertion, id) };
  }
  if (secret !== undefined) {
    if (id === undefined) {
      return new TokenFault("invalid_request", "client_secret without client_id");
    }
    return { verify: () => bySecret(call, id, secret) };
  }
  return { verify: () => byCertificate(call, id) };
}

async function byBasic(
  call: TokenCall,
  authorization: string,
  sent: string | undefined,
): Promise<Client | TokenFault> {
  const parsed = parseAuthorization(authorization);
  const basic =
    isCredentialsFault(parsed) || parsed.scheme !== "basic" || parsed.token === undefined
      ? undefined
      : readBasic(parsed.token);
  if (basic === undefined) {
    const detail = "Authorization is not Basic with an id and a secret";
    return refused(call, { reason: "invalid-client", detail });
  }
  if (sent !== undefined && sent !== basic.id) {
    return new TokenFault("invalid_request", "client_id is another than that of Authorization");
  }
  return await bySecret(call, basic.id, basic.secret);
}

async function bySecret(call: TokenCall, id: string, secret: string): Promise<Client | TokenFault> {
  const client = await clientBy(call, id);
  if (client === undefined) return unknownClient(call);
  const given = createHash("sha256").update(secret, "utf8").digest();
  const good = client.secrets.filter((one) => isSame(Buffer.from(one, "base64url"), given));
  if (good.length === 0) {
    return refused(call, { reason: "invalid-client", detail: `not the secret of ${client.id}` });
  }
  call.deps.log.warn("a client used a secret; keys or a certificate would not leave it", {
    client: client.id,
  });
  const credentialHash = given.toString("base64url");
  return registeredClient(call, client, { by: "secret", credentialHash });
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

async function byAssertion(
  call: TokenCall,
  assertion: string,
  sent: string | undefined,
): Promise<Client | TokenFault> {
  const jws = readJws(assertion);
  if ("fault" in jws) return refused(call, { reason: jws.fault, detail: jws.detail });
  const { iss, sub } = jws.claims;
  const audience = audienceOf(call);
  // What a client signs for itself, and no other token: ids of clients are no URLs and no SPIFFE IDs.
  if (typeof iss === "string" && iss === sub) {
    if (sent !== undefined && sent !== iss) {
      return refused(call, { reason: "invalid-client", detail: "client_id is not iss and sub" });
    }
    const client = await clientBy(call, iss);
    if (client === undefined) return unknownClient(call);
    const rules = { audience, nowMs: call.own.timeMs, shared: call.deps.shared };
    const fault = await verifyClientAssertion(jws, client, rules);
    if (fault !== undefined) return refused(call, fault);
    const credentialHash = hash("sha256", assertion, "base64url");
    return registeredClient(call, client, { by: "assertion", credentialHash });
  }
  const { assertions } = call.tokens;
  if (assertions === undefined) {
    const detail =
      "neither signed by a client, nor of an authenticator of authority.tokens.clients";
    return refused(call, { reason: "unknown-issuer", detail });
  }
  return workload(call, await assertions.verify(assertion), { sent, by: "assertion" });
}

async function byCertificate(
  call: TokenCall,
  sent: string | undefined,
): Promise<Client | TokenFault> {
  const thumbprint = certificateOf(call);
  const { tls } = call.exchange.connection.peer;
  if (thumbprint === undefined || tls === undefined) {
    return new TokenFault("invalid_client", "the client proves nothing", {
      reason: "missing-credential",
    });
  }
  const client = sent === undefined ? undefined : await clientBy(call, sent);
  if (client !== undefined) {
    if (!client.certificates.includes(thumbprint)) {
      const detail = `not a certificate of ${client.id}`;
      return refused(call, { reason: "invalid-client", detail });
    }
    return registeredClient(call, client, { by: "certificate", credentialHash: thumbprint });
  }
  const verified = call.tokens.certificates?.verify(tls, call.own.timeMs);
  if (verified === undefined) {
    const detail = "no authenticator of authority.tokens.clients is for the certificate";
    return refused(call, { reason: "invalid-client", detail });
  }
  return workload(call, verified, { sent, by: "certificate" });
}

/** Of a workload that an authenticator knows. */
function workload(
  call: TokenCall,
  verified: Verified,
  given: { readonly sent: string | undefined; readonly by: Client["by"] },
): Client | TokenFault {
  if (isFailure(verified)) {
    return refused(call, { reason: verified.failure, detail: verified.detail });
  }
  const audience = [...verified.acceptedAudience, ...audienceOf(call)];
  const unfit = checkFacts(verified, call.own.timeMs, audience);
  if (unfit !== undefined) {
    return refused(call, { reason: unfit, detail: "the client's credential does not count" });
  }
  const { principal, confirmation } = verified;
  if (confirmation !== undefined) {
    const detail = "a token that is bound to its sender proves no client";
    return refused(call, { reason: "missing-proof", detail });
  }
  const id = principalId(principal);
  const { sent, by } = given;
  if (sent !== undefined && sent !== id && sent !== principal.subject) {
    const detail = `client_id is another than ${id}`;
    return refused(call, { reason: "invalid-client", detail });
  }
  return { id, facts: verified, by, registered: false };
}

function registeredClient(
  { own, tokens }: TokenCall,
  client: RegisteredClient,
  { by, credentialHash }: { readonly by: Client["by"]; readonly credentialHash: string },
): Client {
  const facts: CredentialFacts = Object.freeze({
    principal: client.principal,
    authenticator: tokens.authenticator,
    kind: CLIENT_KIND,
    credentialHash,
    // Its registration lasts; what it has shown now proves it for this request.
    expiresAt: Number.POSITIVE_INFINITY,
    notBefore: undefined,
    issuedAt: Math.floor(own.timeMs / 1000),
    clockSkew: 0,
    audience: undefined,
    acceptedAudience: NONE,
    scopes: NONE,
    tokenId: undefined,
    clientId: client.id,
    acr: undefined,
    amr: NONE,
    authenticatedAt: undefined,
    confirmation: undefined,
    actor: undefined,
    device: undefined,
    valid: ALWAYS,
  });
  return { id: client.id, facts, by, registered: true };
}

const NONE: readonly string[] = Object.freeze([]);
const ALWAYS = (): boolean => true;

/** Rejects with SallyportError where it cannot be known. */
async function clientBy(
  { tokens, deps }: TokenCall,
  id: string,
): Promise<RegisteredClient | undefined> {
  const declared = tokens.declared.get(id);
  if (declared !== undefined) return declared;
  // What could be no id is not looked for.
  return clientIdSchema.safeParse(id).success ? await deps.issuing.client(id) : undefined;
}

/** Whom what is signed for us may name: our issuer, the token endpoint, and the endpoint that is called. */
export function audienceOf({ deps, origin, path }: TokenCall): readonly string[] {
  return [...new Set([deps.issuing.issuer, `${origin}/.sallyport/token`, `${origin}${path}`])];
}

function unknownClient(call: TokenCall): TokenFault {
  return refused(call, { reason: "invalid-client", detail: "there is no such client" });
}

/** One text for all of them: whoever guesses learns nothing by it. */
function refused(
  { exchange }: TokenCall,
  { reason, detail }: { readonly reason: Reason; readonly detail: string },
): TokenFault {
  const error = errorFor(reason, "invalid_client");
  const basic = error === "invalid_client" && exchange.head.authorization !== undefined;
  return new TokenFault(error, "the client could not be authenticated", {
    reason,
    detail,
    fields: basic ? ["www-authenticate", 'Basic realm="sallyport", charset="UTF-8"'] : [],
    costly: error === "invalid_client",
  });
}
