/** What the claims of a verified token say beyond the registered ones: who it is, with what, and for whom. */
import type { CredentialFacts } from "../../model/facts.ts";
import type { JsonObject } from "../../model/json.ts";
import type { ClaimFault, ClaimMapper } from "./claims.ts";
import { readActor, readConfirmation } from "./confirmation.ts";

export type ClaimFacts = Pick<CredentialFacts, "principal" | "confirmation" | "actor" | "device">;

export function readClaimFacts(claims: JsonObject, mapper: ClaimMapper): ClaimFacts | ClaimFault {
  const principal = mapper.principal(claims);
  if ("fault" in principal) return principal;
  const confirmation = readConfirmation(claims);
  if (confirmation !== undefined && "fault" in confirmation) return confirmation;
  const actor = readActor(claims, mapper.vocabulary.name);
  if (actor !== undefined && "fault" in actor) return actor;
  const device = mapper.device(claims);
  if (device !== undefined && "fault" in device) return device;
  return { principal, confirmation, actor, device };
}
