/**
 * From parents that are good and a wish that can be read to a key: what it would say (rule 11 of the
 * design), whether policies permit that, its signature. It is on record before it leaves.
 */
import { type BoundTo, deriveKey, type DerivedKey } from "../../keys/derive-key.ts";
import { SallyportError } from "../../model/errors.ts";
import type { CredentialFacts } from "../../model/facts.ts";
import type { IssueGrant, IssueQuestion, RecordedKey } from "../../model/issued-keys.ts";
import type { JsonObject } from "../../model/json.ts";
import { type Principal, principalId } from "../../model/principal.ts";
import type { Reason } from "../../model/reason.ts";
import type { Asked } from "./asked-key.ts";
import type { Client } from "./client-authentication.ts";
import type { EndpointProof } from "./endpoint-proof.ts";
import { certificateOf, type TokenAnswer, type TokenCall } from "./token-call.ts";
import { unknownDetail } from "./known-details.ts";
import { errorFor, type TokenError, TokenFault } from "./token-fault.ts";

export interface Wish {
  readonly client: Client;
  readonly grant: IssueGrant;
  readonly subject: CredentialFacts;
  /** Who acts for the subject, outermost first: the client, and the one whose token says so. Empty: the subject itself. */
  readonly actors: readonly CredentialFacts[];
  readonly asked: Asked;
  readonly proof: EndpointProof;
  /** For the answer to a token exchange. */
  readonly issuedType?: string | undefined;
}

export async function issueKey(call: TokenCall, wish: Wish): Promise<TokenAnswer | TokenFault> {
  const { own, deps, tokens } = call;
  const { client, subject, actors, asked } = wish;
  const key = deriveKey(
    { subject, actors, clientId: client.id },
    { ...asked, boundTo: boundTo(call, wish) },
    {
      issuer: deps.issuing.issuer,
      nowMs: own.timeMs,
      defaultSeconds: Math.max(1, Math.floor(tokens.lifetimeMs / 1000)),
      mostSeconds: Math.max(1, Math.floor(tokens.mostLifetimeMs / 1000)),
      id: deps.newId(),
    },
  );
  if ("error" in key) return new TokenFault(key.error, key.description);
  // Which services the key is for its parents say where the request does not.
  const unknown = asked.details && unknownDetail(asked.details, key.services, tokens.targets);
  if (unknown !== undefined) return new TokenFault("invalid_authorization_details", unknown);
  const { reason, detail, denied } = own.issue(questionsOf(wish, key));
  if (reason !== "permitted") {
    return denial(wish, { reason, detail, who: denied?.as ?? "subject" });
  }
  const token = await sign(call, key);
  if (token instanceof TokenFault) return token;
  if (client.registered) deps.issuing.used(client.id, own.timeMs);
  return { reason, key: recorded(key, client), json: answerOf(token, key, wish) };
}

/**
 * A DPoP proof binds the key to its key. Else it is the certificate of the connection where the client was
 * known by it, or a parent is bound to it: such a client can show it to services as well.
 */
function boundTo(call: TokenCall, { client, subject, actors, proof }: Wish): BoundTo | undefined {
  if (proof.keyThumbprint !== undefined) return { by: "dpop", thumbprint: proof.keyThumbprint };
  const certificate = certificateOf(call);
  if (certificate === undefined) return undefined;
  const bound =
    client.by === "certificate" ||
    [subject, ...actors].some((one) => one.confirmation?.certificateThumbprint === certificate);
  return bound ? { by: "mtls", thumbprint: certificate } : undefined;
}

function questionsOf(wish: Wish, key: DerivedKey): readonly IssueQuestion[] {
  const { client, grant, subject, actors } = wish;
  const about = (
    as: IssueQuestion["as"],
    facts: CredentialFacts,
    other: Principal | undefined,
  ): IssueQuestion[] =>
    key.services.map((service) => ({
      as,
      facts,
      service,
      grant,
      scopes: key.scopes,
      lifetimeSeconds: key.lifetimeSeconds,
      binding: key.binding,
      narrowed: key.details !== undefined,
      clientId: client.id,
      other,
    }));
  if (actors.length === 0) return about("subject", subject, undefined);
  return [
    ...actors.flatMap(({ principal }) => about("subject", subject, principal)),
    ...actors.flatMap((actor) => about("actor", actor, subject.principal)),
  ];
}

/** What a client is told of a denial: never which policy it was, nor of what kind. */
function denial(
  { grant, client }: Wish,
  given: {
    readonly reason: Reason;
    readonly detail: string | undefined;
    readonly who: IssueQuestion["as"];
  },
): TokenFault {
  const { reason, detail, who } = given;
  const text = `policies do not permit it for the ${who}`;
  const options = { reason, detail: detail ?? text, asked: true };
  const error = errorFor(reason, DENIED[reason] ?? deniedCredential(grant, who, client));
  if (error === "temporarily_unavailable" || error === "server_error") {
    return new TokenFault(error, "no key can be issued now", options);
  }
  // RFC 8693 section 2.2.2: unwilling to issue one for that service.
  const told =
    error === "unauthorized_client" && grant === "token-exchange" ? "invalid_target" : error;
  return new TokenFault(told, "no key is issued for that", options);
}

const DENIED: Partial<Record<Reason, TokenError>> = {
  "no-permit": "unauthorized_client",
  forbidden: "unauthorized_client",
  "policy-error": "unauthorized_client",
  "step-up-required": "unauthorized_client",
  "service-blocked": "invalid_target",
};

/** Which credential has come to nothing meanwhile. */
function deniedCredential(grant: IssueGrant, who: IssueQuestion["as"], client: Client): TokenError {
  if (grant === "client-credentials" || (who === "actor" && client.registered)) {
    return "invalid_client";
  }
  return grant === "jwt-bearer" ? "invalid_grant" : "invalid_request";
}

async function sign({ deps }: TokenCall, { claims }: DerivedKey): Promise<string | TokenFault> {
  const startedAt = deps.clock.monotonic();
  try {
    const key = await deps.issuing.sign(claims);
    deps.figures.signing.observe((deps.clock.monotonic() - startedAt) / 1000);
    return key;
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    return new TokenFault("temporarily_unavailable", "keys cannot be signed now", {
      reason: "identity-unavailable",
      detail: error.message,
    });
  }
}

function recorded(key: DerivedKey, client: Client): RecordedKey {
  return {
    id: key.claims.jti,
    audience: key.services,
    scopes: key.scopes,
    expiresAt: key.claims.exp,
    binding: key.binding,
    clientId: client.id,
    details: key.details,
    ancestors: key.ancestors,
  };
}

/** RFC 6749 section 5.1, RFC 8693 section 2.2.1, RFC 9396 section 7, RFC 9449 section 5. */
function answerOf(token: string, key: DerivedKey, { issuedType }: Wish): JsonObject {
  const { claims, scopes, details } = key;
  return {
    access_token: token,
    token_type: key.binding === "dpop" ? "DPoP" : "Bearer",
    expires_in: claims.exp - claims.iat,
    ...(issuedType === undefined ? {} : { issued_token_type: issuedType }),
    ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
    ...(details === undefined ? {} : { authorization_details: details as unknown as JsonObject }),
  };
}

/** Whether both are one and the same, so that none acts for the other. */
export function isSamePrincipal(one: CredentialFacts, other: CredentialFacts): boolean {
  return (
    one.principal.kind === other.principal.kind &&
    principalId(one.principal) === principalId(other.principal)
  );
}
