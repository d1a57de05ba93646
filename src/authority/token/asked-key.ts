/** What a request asks of a key: services, scopes, lifetime, details. */
import type { AskedKey } from "../../keys/derive-key.ts";
import { parseAccessDetails } from "../../wire/access-details.ts";
import type { Form } from "./form.ts";
import { type Targets, targetsOf } from "./targets.ts";
import { TokenFault } from "./token-fault.ts";

export type Asked = Omit<AskedKey, "boundTo">;

export function readAsked(form: Form, targets: Targets): Asked | TokenFault {
  const services = targetsOf(form, targets);
  if (services instanceof TokenFault) return services;
  const lifetimeSeconds = lifetimeOf(form.one("expires_in"));
  if (lifetimeSeconds instanceof TokenFault) return lifetimeSeconds;
  const text = form.one("authorization_details");
  const details = text === undefined ? undefined : parseAccessDetails(text);
  if (details !== undefined && "fault" in details) {
    return new TokenFault("invalid_authorization_details", details.fault);
  }
  const scopes = form.one("scope")?.split(" ");
  if (scopes?.includes("") === true) {
    return new TokenFault("invalid_scope", "scopes are not divided by one space each");
  }
  return { services, scopes, lifetimeSeconds, details };
}

/** As the answer says it: whole seconds. */
function lifetimeOf(text: string | undefined): number | undefined | TokenFault {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  return new TokenFault("invalid_request", "expires_in is not a number of seconds");
}
