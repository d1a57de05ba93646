/** Members that the contexts of all actions have, as Cedar values. */
import type { Actor } from "../../model/facts.ts";
import type { Authn } from "../../model/policy.ts";
import { BAD_ADDRESS } from "../cedar/evaluation-error.ts";
import { type IpAddress, parseIpAddress } from "../cedar/ip-address.ts";
import { CedarRecord, CedarSet, type Value } from "../cedar/values.ts";

/** The zone of a link-local address (`fe80::1%eth0`) names an interface of ours, not the caller. */
export function callerAddress(text: string): IpAddress {
  const zone = text.indexOf("%");
  try {
    return parseIpAddress(zone < 0 ? text : text.slice(0, zone));
  } catch {
    throw BAD_ADDRESS;
  }
}

export function authnRecord(authn: Authn): CedarRecord {
  const entries = new Map<string, Value>([
    ["kind", authn.kind],
    ["authenticator", authn.authenticator],
    ["age", Math.floor(authn.ageSeconds)],
    ["amr", new CedarSet(authn.amr)],
    ["bound", authn.bound],
  ]);
  if (authn.acr !== undefined) entries.set("acr", authn.acr);
  return new CedarRecord(entries);
}

export function actorRecord(actor: Actor): CedarRecord {
  const { authenticator, subject, issuer, clientId, behind } = actor;
  const entries = new Map<string, Value>([
    ["id", `${authenticator}/${subject}`],
    ["subject", subject],
    ["authenticator", authenticator],
    ["behind", new CedarSet(behind)],
  ]);
  if (issuer !== undefined) entries.set("issuer", issuer);
  if (clientId !== undefined) entries.set("clientId", clientId);
  return new CedarRecord(entries);
}
