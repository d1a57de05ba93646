/**
 * What a key of ours says beside its principal: for which services, who acts with it, what it is narrowed
 * to and what it was derived from.
 *
 * Refuses claims that are not known here: a proxy of an earlier version must not overlook what narrows.
 */
import type { AccessDetail, Ancestor } from "../../model/access-detail.ts";
import type { Actor, CredentialFacts } from "../../model/facts.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../model/json.ts";
import { nameSchema } from "../../model/options.ts";
import { readAccessDetails } from "../../wire/access-details.ts";
import type { ClaimFault } from "../claims/claims.ts";
import { readActor } from "../claims/confirmation.ts";

const LIMITS = {
  services: 16,
  ancestors: 16,
  textChars: 1024,
} as const;

const CLAIMS: ReadonlySet<string> = new Set([
  "iss",
  "sub",
  "aud",
  "client_id",
  "iat",
  "exp",
  "jti",
  "scope",
  "cnf",
  "act",
  "authorization_details",
  "acr",
  "amr",
  "auth_time",
  "principal",
  "device",
  "ancestors",
]);

export type IssuedFacts = Required<Pick<CredentialFacts, "services" | "actor">> &
  Pick<CredentialFacts, "narrowed" | "ancestors">;

/** `audience`: `aud` as it was read. */
export function readIssuedClaims(
  claims: JsonObject,
  { audience, name }: { readonly audience: readonly string[]; readonly name: string },
): IssuedFacts | ClaimFault {
  if (Object.keys(claims).some((claim) => !CLAIMS.has(claim))) {
    return { fault: "invalid-claim", detail: "a claim that is not known here" };
  }
  if (audience.length === 0) return { fault: "missing-claim", detail: "claim aud is absent" };
  if (audience.length > LIMITS.services || !audience.every(isServiceName)) {
    return invalid("aud", "not names of services");
  }
  const actor = actorOf(claims, name);
  if (actor !== undefined && "fault" in actor) return actor;
  const narrowed = narrowedOf(claims["authorization_details"]);
  if (narrowed !== undefined && "fault" in narrowed) return narrowed;
  const ancestors = ancestorsOf(claims["ancestors"]);
  if (ancestors !== undefined && "fault" in ancestors) return ancestors;
  return {
    services: Object.freeze([...audience]),
    actor,
    ...(narrowed === undefined ? {} : { narrowed }),
    ...(ancestors === undefined ? {} : { ancestors }),
  };
}

function isServiceName(name: string): boolean {
  return nameSchema.safeParse(name).success;
}

/** We write ids of principals: policies see the actor as its own authenticator knew it. */
function actorOf(claims: JsonObject, name: string): Actor | undefined | ClaimFault {
  const said = readActor(claims, name);
  if (said === undefined || "fault" in said) return said;
  const slash = said.subject.indexOf("/");
  if (slash < 1 || slash === said.subject.length - 1) {
    return invalid("act.sub", "no id of a principal");
  }
  return Object.freeze({
    ...said,
    authenticator: said.subject.slice(0, slash),
    subject: said.subject.slice(slash + 1),
  });
}

function narrowedOf(
  value: JsonValue | undefined,
): readonly AccessDetail[] | undefined | ClaimFault {
  if (value === undefined) return undefined;
  const details = readAccessDetails(value);
  return "fault" in details ? invalid("authorization_details", details.fault) : details;
}

function ancestorsOf(value: JsonValue | undefined): readonly Ancestor[] | undefined | ClaimFault {
  if (value === undefined) return undefined;
  const found = Array.isArray(value) ? (value as readonly JsonValue[]) : [];
  if (found.length === 0 || found.length > LIMITS.ancestors) {
    return invalid("ancestors", "not a list of credentials");
  }
  const ancestors: Ancestor[] = [];
  for (const one of found) {
    const ancestor = ancestorOf(one);
    if (ancestor === undefined) return invalid("ancestors", "what is no credential");
    ancestors.push(ancestor);
  }
  return Object.freeze(ancestors);
}

function ancestorOf(value: JsonValue): Ancestor | undefined {
  if (!isJsonObject(value)) return undefined;
  const { authenticator, id, principal, ...others } = value;
  if (!isText(authenticator) || Object.keys(others).length > 0) return undefined;
  if (id !== undefined && !isText(id)) return undefined;
  const owner = ownerOf(principal);
  if (owner === "invalid") return undefined;
  return Object.freeze({
    authenticator,
    ...(id === undefined ? {} : { id }),
    ...(owner === undefined ? {} : { principal: owner }),
  });
}

function ownerOf(value: JsonValue | undefined): Ancestor["principal"] | "invalid" {
  if (value === undefined) return undefined;
  if (!isJsonObject(value)) return "invalid";
  const { authenticator, subject, ...others } = value;
  if (!isText(authenticator) || !isText(subject) || Object.keys(others).length > 0)
    return "invalid";
  return Object.freeze({ authenticator, subject });
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === "string" && value !== "" && value.length <= LIMITS.textChars;
}

function invalid(claim: string, rule: string): ClaimFault {
  return { fault: "invalid-claim", detail: `claim ${claim}: ${rule}` };
}
